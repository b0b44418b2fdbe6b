//! Functions of a program as Rust values, to be called many times.

use crate::call_error::CallError;
use crate::handle::Handle;
use crate::raw::sealed;
use crate::{Engine, Error};
use kaleidoscope_jit::CallScope;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// A function of a program, with arguments of this type: a tuple of up to eight `f64`.
///
/// It stays valid as long as it lives: through definitions of the same name, which the next call sees, and through every
/// change of the code behind it. Made by [`Engine::function`].
///
/// ```
/// use kaleidoscope::Engine;
///
/// let engine = Engine::new()?;
/// engine.run("def area(w h) w * h;");
/// let area = engine.function::<(f64, f64)>("area")?;
/// assert_eq!(area.call((2.0, 3.0))?, 6.0);
/// engine.run("def area(w h) w * h / 2;");
/// assert_eq!(area.call((2.0, 3.0))?, 3.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Function<A> {
    handle: Handle,
    arguments: PhantomData<fn(A)>,
}

/// A function of a program whose number of arguments is known when the program runs: calls take a slice.
///
/// It stays valid as a [`Function`] does. Made by [`Engine::dyn_function`].
///
/// ```
/// use kaleidoscope::Engine;
///
/// let engine = Engine::new()?;
/// engine.run("def mean(a b c) (a + b + c) / 3;");
/// let mean = engine.dyn_function("mean")?;
/// assert_eq!(mean.arity(), 3);
/// assert_eq!(mean.call(&[1.0, 2.0, 6.0])?, 3.0);
/// assert!(mean.call(&[1.0]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DynFunction {
    handle: Handle,
}

/// The arguments of a call: a tuple of none to eight `f64`. Implemented for these and nothing else.
pub trait Arguments: sealed::Arguments {}

impl<A: sealed::Arguments> Arguments for A {}

impl Engine {
    /// The function of this name: one of the program, of the maths library, or of the host.
    ///
    /// It costs no code: that is made at the first call, or by [`Function::prepare`].
    ///
    /// ```
    /// use kaleidoscope::{Engine, ErrorKind};
    ///
    /// let engine = Engine::new()?;
    /// let power = engine.function::<(f64, f64)>("pow")?;
    /// assert_eq!(power.call((2.0, 10.0))?, 1024.0);
    /// assert_eq!(engine.function::<(f64,)>("pov").unwrap_err().kind(), ErrorKind::UnknownFunction);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::ErrorKind::UnknownFunction`] when the name means nothing, [`crate::ErrorKind::WrongArity`] when the
    /// function takes another number of arguments.
    pub fn function<A: Arguments>(&self, name: &str) -> Result<Function<A>, Error> {
        Function::new(Handle::of_name(self, name)?)
    }

    /// The function of this name, whatever number of arguments it takes.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// assert_eq!(engine.dyn_function("fmod")?.call(&[7.0, 4.0])?, 3.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::ErrorKind::UnknownFunction`] when the name means nothing.
    pub fn dyn_function(&self, name: &str) -> Result<DynFunction, Error> {
        Ok(DynFunction { handle: Handle::of_name(self, name)? })
    }

    /// Prepares for many calls, which cost a fraction of what they cost each by itself. The body makes them by the scope.
    ///
    /// Each call ends by itself: after an error the next one can be made. The time limit of the engine is that of all of them
    /// together, and an interrupter stops all that are still to come. What is redefined meanwhile keeps its memory
    /// until the scope is left.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def next(x) x * 3.9 * (1 - x);");
    /// let next = engine.function::<(f64,)>("next")?;
    /// let x = engine.enter(|scope| (0..1_000).try_fold(0.5, |x, _| scope.call(&next, (x,))))??;
    /// assert!(x > 0.0 && x < 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When there is no memory for a stack, or this is inside so many other evaluations that a stack is full.
    #[inline]
    pub fn enter<R>(&self, body: impl FnOnce(&Scope<'_>) -> R) -> Result<R, CallError> {
        let enter = |scope: &CallScope<'_>| body(&Scope { engine: self, calls: scope });
        self.jit.enter(self.limits, enter).map_err(CallError::from)
    }
}

/// What [`Engine::enter`] has prepared: calls of functions. Stays on its thread.
///
/// ```
/// use kaleidoscope::Engine;
///
/// let engine = Engine::new()?;
/// engine.run("def f(x) x * x; def g(x y) x - y;");
/// let (f, g) = (engine.function::<(f64,)>("f")?, engine.dyn_function("g")?);
/// let value = engine.enter(|scope| scope.call_dyn(&g, &[scope.call(&f, (3.0,))?, 1.0]))??;
/// assert_eq!(value, 8.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Scope<'scope> {
    pub(crate) engine: &'scope Engine,
    pub(crate) calls: &'scope CallScope<'scope>,
}

impl Scope<'_> {
    /// Calls the function.
    ///
    /// # Errors
    /// As [`Function::call`].
    ///
    /// # Panics
    /// When the function belongs to another engine.
    #[inline]
    pub fn call<A: Arguments>(&self, function: &Function<A>, args: A) -> Result<f64, CallError> {
        function.handle.call_in(self, args.into_array().as_ref())
    }

    /// Calls the function with the arguments in a slice.
    ///
    /// # Errors
    /// As [`DynFunction::call`].
    ///
    /// # Panics
    /// When the function belongs to another engine.
    #[inline]
    pub fn call_dyn(&self, function: &DynFunction, args: &[f64]) -> Result<f64, CallError> {
        function.handle.call_in(self, args)
    }
}

impl<A: Arguments> Function<A> {
    /// The function as one with arguments of this type.
    pub(crate) fn new(handle: Handle) -> Result<Self, Error> {
        handle.expect_arity(A::ARITY)?;
        Ok(Self { handle, arguments: PhantomData })
    }

    /// Calls the function, on a stack of its own: whatever it does, the host goes on.
    ///
    /// # Errors
    /// What ended the call early: everything that a program can do wrong while it runs, a time limit, an interrupter.
    pub fn call(&self, args: A) -> Result<f64, CallError> {
        self.handle.call(args.into_array().as_ref())
    }

    /// Another handle of this function, each of whose calls may take so long.
    ///
    /// ```
    /// use kaleidoscope::{DiagnosticCode, Engine};
    /// use std::time::Duration;
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def forever(x) forever(x);");
    /// let forever = engine.function::<(f64,)>("forever")?.within(Duration::from_millis(20));
    /// assert_eq!(forever.call((0.0,)).unwrap_err().code(), DiagnosticCode::TimedOut);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self { handle: self.handle.within(limit), arguments: PhantomData }
    }

    /// Makes the code now that the first call would make, if the engine makes code at all. Functions that it calls are
    /// prepared when they are called, or by handles of their own.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Mode, Statistics};
    ///
    /// let statistics = Statistics::new();
    /// let engine = Engine::builder().mode(Mode::Baseline).observer(statistics.clone()).build()?;
    /// engine.run("def f(x) x;");
    /// assert!(statistics.totals().compiled.is_empty());
    /// engine.function::<(f64,)>("f")?.prepare()?;
    /// assert_eq!(statistics.totals().compiled.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When no code can be made, or nothing can be called by that name any more.
    pub fn prepare(&self) -> Result<(), CallError> {
        self.handle.prepare()
    }

    /// The same function, to be called with a slice.
    pub fn to_dyn(&self) -> DynFunction {
        DynFunction { handle: self.handle.clone() }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl DynFunction {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The function's name; of a formula one that no program can write, and that another formula may get when this one is gone.
    pub fn name(&self) -> Arc<str> {
        self.handle.signature().name
    }

    /// How many arguments it takes.
    pub fn arity(&self) -> usize {
        self.handle.callable.arity() as usize
    }

    /// Calls the function, on a stack of its own: whatever it does, the host goes on.
    ///
    /// # Errors
    /// As [`Function::call`], and [`crate::DiagnosticCode::WrongArgumentCount`] when the slice has another length than [`Self::arity`].
    pub fn call(&self, args: &[f64]) -> Result<f64, CallError> {
        self.handle.call(args)
    }

    /// Another handle of this function, each of whose calls may take so long.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self { handle: self.handle.within(limit) }
    }

    /// Makes the code now that the first call would make, as [`Function::prepare`].
    ///
    /// # Errors
    /// When no code can be made, or nothing can be called by that name any more.
    pub fn prepare(&self) -> Result<(), CallError> {
        self.handle.prepare()
    }

    /// The same function, with arguments of this type: its calls cost less.
    ///
    /// # Errors
    /// [`crate::ErrorKind::WrongArity`] when the function takes another number of arguments.
    pub fn typed<A: Arguments>(&self) -> Result<Function<A>, Error> {
        Function::new(self.handle.clone())
    }
}

impl<A> Clone for Function<A> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), arguments: PhantomData }
    }
}

impl<A> fmt::Debug for Function<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Function").field(&self.handle).finish()
    }
}

impl fmt::Debug for DynFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DynFunction").field(&self.handle).finish()
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
