//! What every handle of a function is made of: which function of which engine, and how long a call may take.

use crate::call_error::CallError;
use crate::evaluation::call_in_reference;
use crate::failure::Failure;
use crate::formula::Life;
use crate::function::{Scope, Way};
use crate::interrupt::Watch;
use crate::jit::Callable;
use crate::shared::stub_of;
use crate::{Engine, Error, Mode};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_lang::names::Signature;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A function of an engine. Stays valid whatever is defined behind it.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) engine: Engine,
    pub(crate) id: FunctionId,
    pub(crate) callable: Callable,
    /// Keeps a formula's definition as long as somebody can call it.
    _formula: Option<Arc<Life>>,
}

impl Handle {
    /// What the name means now.
    pub(crate) fn of_name(engine: &Engine, name: &str) -> Result<Self, Error> {
        let program = engine.jit.source.program();
        let Some(id) = program.names.current(name) else { return Err(Error::unknown_function(name)) };
        let arity = program.names.signature(id).arity;
        drop(program);
        Ok(Self::new(engine, id, arity))
    }

    /// The function of this id, which has this arity.
    pub(crate) fn new(engine: &Engine, id: FunctionId, arity: u32) -> Self {
        // Nobody knows how often it will be called.
        engine.jit.have_counted(stub_of(id));
        let callable = engine.jit.callable(stub_of(id), arity);
        Self { engine: engine.clone(), id, callable, _formula: None }
    }

    /// The same, which keeps the formula that it is the function of.
    pub(crate) fn keeping(self, formula: Arc<Life>) -> Self {
        Self { _formula: Some(formula), ..self }
    }

    /// The same, whose calls may take so long.
    pub(crate) fn within(&self, limit: Duration) -> Self {
        Self { engine: self.engine.within(limit), ..self.clone() }
    }

    /// An error unless the function takes so many arguments.
    pub(crate) fn expect_arity(&self, asked: u32) -> Result<(), Error> {
        match self.callable.arity() {
            arity if arity == asked => Ok(()),
            arity => Err(Error::wrong_arity(&self.signature().name, asked, arity)),
        }
    }

    /// Name and number of arguments.
    pub(crate) fn signature(&self) -> Signature {
        self.engine.jit.source.program().names.signature(self.id).clone()
    }

    /// Calls the function by itself: what [`Engine::enter`] and [`Self::call_in`] do, without a scope between them.
    pub(crate) fn call(&self, args: &[f64]) -> Result<f64, CallError> {
        if args.len() != self.callable.arity() as usize {
            return Err(self.wrong_count(args.len()));
        }
        let shared = &self.engine.jit.source;
        let watch = Watch::begin(&shared.interrupter, self.engine.time_limit);
        if shared.settings.mode == Mode::Off {
            return call_in_reference(shared, &watch, self.id, args).map_err(CallError::from);
        }
        self.engine
            .jit
            .enter(&watch, shared.settings.stack_bytes, |inside| inside.call(self.callable, args))
            .flatten()
            .map_err(CallError::from)
    }

    /// Calls the function.
    ///
    /// # Panics
    /// When the scope is one of another engine.
    #[inline]
    pub(crate) fn call_in(&self, scope: &Scope<'_>, args: &[f64]) -> Result<f64, CallError> {
        assert!(
            Arc::ptr_eq(&scope.engine.jit, &self.engine.jit),
            "a scope calls functions of its own engine"
        );
        if args.len() != self.callable.arity() as usize {
            return Err(self.wrong_count(args.len()));
        }
        match scope.way {
            Way::Code(inside) => inside.call(self.callable, args),
            Way::Reference(watch) => call_in_reference(&self.engine.jit.source, watch, self.id, args),
        }
        .map_err(CallError::from)
    }

    #[cold]
    fn wrong_count(&self, given: usize) -> CallError {
        let Signature { name, arity } = self.signature();
        CallError::from(Failure::ArgumentCount { name, given, takes: arity })
    }

    /// Makes the code now that the first call would make.
    pub(crate) fn prepare(&self) -> Result<(), CallError> {
        match self.engine.mode() {
            Mode::Off => Ok(()),
            _ => self.engine.jit.prepare(stub_of(self.id)).map_err(CallError::from),
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signature { name, arity } = self.signature();
        f.debug_struct("Handle").field("name", &name).field("arity", &arity).finish_non_exhaustive()
    }
}
