//! Functions of a program as Rust values.

use crate::call_error::CallError;
use crate::handle::Handle;
use crate::raw::sealed;
use crate::{Engine, Error};
use kaleidoscope_jit::CallScope;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// A function of a program, with arguments of type `A`: a tuple of up to eight `f64`. From
/// [`Engine::function`].
///
/// The handle follows its name: after a redefinition, the next call runs the new definition.
///
/// ```
/// use kaleidoscope::Engine;
///
/// let engine = Engine::new()?;
/// engine.run("def area(w h) w * h;").ok()?;
/// let area = engine.function::<(f64, f64)>("area")?;
/// assert_eq!(area.call((2.0, 3.0))?, 6.0);
/// engine.run("def area(w h) w * h / 2;").ok()?;
/// assert_eq!(area.call((2.0, 3.0))?, 3.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Function<A> {
    handle: Handle,
    arguments: PhantomData<fn(A)>,
}

/// A function of a program, called with a slice of arguments: its arity is known at run time. From
/// [`Engine::dyn_function`].
///
/// The handle follows its name, as a [`Function`] does.
///
/// ```
/// use kaleidoscope::Engine;
///
/// let engine = Engine::new()?;
/// engine.run("def mean(a b c) (a + b + c) / 3;").ok()?;
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

/// The arguments of a call: a tuple of zero to eight `f64`. Implemented for these tuples only.
pub trait Arguments: sealed::Arguments {}

impl<A: sealed::Arguments> Arguments for A {}

impl Engine {
    /// The function of this name: of the program, of the maths library, or of the host. Nothing is
    /// compiled before the first call or [`Function::prepare`].
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
    /// - [`ErrorKind::UnknownFunction`](crate::ErrorKind::UnknownFunction) if no function has the
    ///   name.
    /// - [`ErrorKind::WrongArity`](crate::ErrorKind::WrongArity) if the function takes a different
    ///   number of arguments.
    pub fn function<A: Arguments>(&self, name: &str) -> Result<Function<A>, Error> {
        Function::new(Handle::of_name(self, name)?)
    }

    /// The function of this name, with any number of arguments.
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
    /// [`ErrorKind::UnknownFunction`](crate::ErrorKind::UnknownFunction) if no function has the
    /// name.
    pub fn dyn_function(&self, name: &str) -> Result<DynFunction, Error> {
        Ok(DynFunction { handle: Handle::of_name(self, name)? })
    }

    /// Enters the engine once for many calls, so that each call costs a fraction of a single call.
    /// The body makes the calls by the [`Scope`]. Its result is the result of `enter`, so `?` ends
    /// the body at a failed call, and one more passes the error on.
    ///
    /// A failed call does not affect the next one. The time limit holds for the whole scope, and an
    /// interrupt stops all its remaining calls. Code that is retired meanwhile is freed after the
    /// scope ends.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def next(x) x * 3.9 * (1 - x);").ok()?;
    /// let next = engine.function::<(f64,)>("next")?;
    /// let x = engine.enter(|scope| (0..1_000).try_fold(0.5, |x, _| scope.call(&next, (x,))))?;
    /// assert!(x > 0.0 && x < 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The body's error. Before the body runs: if there is no memory for a guest stack, or nested
    /// evaluations have filled the guest stack.
    #[inline]
    pub fn enter<R>(&self, body: impl FnOnce(&Scope<'_>) -> Result<R, CallError>) -> Result<R, CallError> {
        let enter = |scope: &CallScope<'_>| body(&Scope { calls: scope });
        self.jit.enter(self.limits, enter)?
    }
}

/// A scope for many calls, made by [`Engine::enter`]. It stays on its thread.
///
/// ```
/// use kaleidoscope::Engine;
///
/// let engine = Engine::new()?;
/// engine.run("def f(x) x * x; def g(x y) x - y;").ok()?;
/// let (f, g) = (engine.function::<(f64,)>("f")?, engine.dyn_function("g")?);
/// let value = engine.enter(|scope| scope.call_dyn(&g, &[scope.call(&f, (3.0,))?, 1.0]))?;
/// assert_eq!(value, 8.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Scope<'scope> {
    pub(crate) calls: &'scope CallScope<'scope>,
}

impl Scope<'_> {
    /// Calls the function.
    ///
    /// # Errors
    /// As [`Function::call`], and [`DiagnosticCode::OtherEngine`](crate::DiagnosticCode::OtherEngine)
    /// if the function belongs to another engine.
    #[inline]
    pub fn call<A: Arguments>(&self, function: &Function<A>, args: A) -> Result<f64, CallError> {
        function.handle.call_in(self.calls, args.into_array().as_ref())
    }

    /// Calls the function with the arguments in a slice.
    ///
    /// # Errors
    /// As [`DynFunction::call`], and
    /// [`DiagnosticCode::OtherEngine`](crate::DiagnosticCode::OtherEngine) if the function belongs
    /// to another engine.
    #[inline]
    pub fn call_dyn(&self, function: &DynFunction, args: &[f64]) -> Result<f64, CallError> {
        function.handle.call_in(self.calls, args)
    }
}

impl<A: Arguments> Function<A> {
    /// The function with arguments of type `A`; an error if its arity differs.
    pub(crate) fn new(handle: Handle) -> Result<Self, Error> {
        handle.expect_arity(A::ARITY)?;
        Ok(Self { handle, arguments: PhantomData })
    }

    /// Calls the function on a guest stack. Whatever the program does, the host continues.
    ///
    /// # Errors
    /// What ended the call: an error of the running program, a time limit, or an interrupt.
    pub fn call(&self, args: A) -> Result<f64, CallError> {
        self.handle.call(args.into_array().as_ref())
    }

    /// A handle of this function with this time limit for each call.
    ///
    /// ```
    /// use kaleidoscope::{DiagnosticCode, Engine};
    /// use std::time::Duration;
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def forever(x) forever(x);").ok()?;
    /// let forever = engine.function::<(f64,)>("forever")?.within(Duration::from_millis(20));
    /// assert_eq!(forever.call((0.0,)).unwrap_err().code(), DiagnosticCode::TimedOut);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self { handle: self.handle.within(limit), arguments: PhantomData }
    }

    /// Compiles the function now, instead of at its first call. Its callees are still compiled at
    /// their own first calls. In [`Mode::Off`](crate::Mode::Off), nothing is compiled.
    ///
    /// ```
    /// use kaleidoscope::{Engine, Mode, Statistics};
    ///
    /// let statistics = Statistics::new();
    /// let engine = Engine::builder().mode(Mode::Baseline).observer(statistics.clone()).build()?;
    /// engine.run("def f(x) x;").ok()?;
    /// assert!(statistics.totals().compiled.is_empty());
    /// engine.function::<(f64,)>("f")?.prepare()?;
    /// assert_eq!(statistics.totals().compiled.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the function cannot be compiled, or has no definition any more.
    pub fn prepare(&self) -> Result<(), CallError> {
        self.handle.prepare()
    }

    /// The same function, called with a slice.
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

    /// The function's name. A formula's name cannot be written in a program, and a later formula
    /// may reuse it.
    pub fn name(&self) -> Arc<str> {
        self.handle.signature().name
    }

    /// The number of arguments.
    pub fn arity(&self) -> usize {
        self.handle.callable.arity() as usize
    }

    /// Calls the function on a guest stack. Whatever the program does, the host continues.
    ///
    /// # Errors
    /// As [`Function::call`], and
    /// [`DiagnosticCode::WrongArgumentCount`](crate::DiagnosticCode::WrongArgumentCount) if the
    /// slice is not as long as [`Self::arity`].
    pub fn call(&self, args: &[f64]) -> Result<f64, CallError> {
        self.handle.call(args)
    }

    /// A handle of this function with this time limit for each call.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self { handle: self.handle.within(limit) }
    }

    /// Compiles the function now, as [`Function::prepare`].
    ///
    /// # Errors
    /// If the function cannot be compiled, or has no definition any more.
    pub fn prepare(&self) -> Result<(), CallError> {
        self.handle.prepare()
    }

    /// The same function with arguments of type `A`, which is faster to call.
    ///
    /// # Errors
    /// [`ErrorKind::WrongArity`](crate::ErrorKind::WrongArity) if the function takes a different
    /// number of arguments.
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
