//! Functions of a program as Rust values, to be called many times.

use crate::call_error::CallError;
use crate::evaluation::call_in_reference;
use crate::interrupt::Watch;
use crate::jit::{Callable, Inside};
use crate::raw::sealed;
use crate::shared::{Shared, stub_of};
use crate::{Engine, Error, Mode};
use kaleidoscope_lang::code::FunctionId;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

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
    engine: Engine,
    id: FunctionId,
    callable: Callable,
    arguments: PhantomData<fn(A)>,
}

/// The arguments of a call: a tuple of none to eight `f64`. Implemented for these and nothing else.
pub trait Arguments: sealed::Arguments {}

impl<A: sealed::Arguments> Arguments for A {}

impl Engine {
    /// The function of this name: one of the program, of the maths library, or of the host.
    ///
    /// It costs no code: that is made at the first call, or by [`Function::prepare`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::UnknownFunction`] when the name means nothing, [`crate::ErrorKind::WrongArity`] when the
    /// function takes another number of arguments.
    pub fn function<A: Arguments>(&self, name: &str) -> Result<Function<A>, Error> {
        let program = self.jit.source.program();
        let Some(id) = program.names.current(name) else { return Err(Error::unknown_function(name)) };
        let arity = program.names.signature(id).arity;
        if arity != A::ARITY {
            return Err(Error::wrong_arity(name, A::ARITY, arity));
        }
        drop(program);
        let callable = self.jit.callable(stub_of(id), arity);
        Ok(Function { engine: self.clone(), id, callable, arguments: PhantomData })
    }

    /// Prepares for many calls, which cost a third of what they cost each by itself. The body makes them by the scope.
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
    pub fn enter<R>(&self, body: impl FnOnce(&Scope<'_>) -> R) -> Result<R, CallError> {
        let shared = &self.jit.source;
        let watch = Watch::begin(&shared.interrupter, shared.time_limit);
        if shared.mode == Mode::Off {
            return Ok(body(&Scope { engine: self, way: Way::Reference(&watch) }));
        }
        self.jit
            .enter(&watch, shared.stack_bytes, |inside| body(&Scope { engine: self, way: Way::Code(inside) }))
            .map_err(CallError::from)
    }
}

/// What [`Engine::enter`] has prepared: calls of functions. Stays on its thread.
pub struct Scope<'scope> {
    engine: &'scope Engine,
    way: Way<'scope>,
}

enum Way<'scope> {
    Code(&'scope Inside<'scope, Shared>),
    Reference(&'scope Watch<'scope>),
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
        assert!(
            Arc::ptr_eq(&self.engine.jit, &function.engine.jit),
            "a scope calls functions of its own engine"
        );
        let args = args.into_array();
        match self.way {
            Way::Code(inside) => inside.call(function.callable, args.as_ref()),
            Way::Reference(watch) => {
                call_in_reference(&self.engine.jit.source, watch, function.id, args.as_ref())
            }
        }
        .map_err(CallError::from)
    }
}

impl<A: Arguments> Function<A> {
    /// Calls the function, on a stack of its own: whatever it does, the host goes on.
    ///
    /// # Errors
    /// What ended the call early: everything that a program can do wrong while it runs, a time limit, an interrupter.
    pub fn call(&self, args: A) -> Result<f64, CallError> {
        self.engine.enter(|scope| scope.call(self, args)).flatten()
    }

    /// Makes the code now that the first call would make, if the engine makes code at all. Functions that it calls are
    /// prepared when they are called, or by handles of their own.
    ///
    /// # Errors
    /// When no code can be made, or nothing can be called by that name any more.
    pub fn prepare(&self) -> Result<(), CallError> {
        match self.engine.mode() {
            Mode::Off => Ok(()),
            _ => self.engine.jit.prepare(stub_of(self.id)).map_err(CallError::from),
        }
    }

    pub(crate) fn callable(&self) -> Callable {
        self.callable
    }
}

impl<A> Clone for Function<A> {
    fn clone(&self) -> Self {
        Self { engine: self.engine.clone(), ..*self }
    }
}

impl<A> fmt::Debug for Function<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = self.engine.jit.source.program().names.signature(self.id).clone();
        f.debug_struct("Function")
            .field("name", &signature.name)
            .field("arity", &signature.arity)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
