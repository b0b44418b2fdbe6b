//! What every handle of a function is made of: which function of which engine, and how long a call may take.

use crate::call_error::CallError;
use crate::failure::Failure;
use crate::formula::Life;
use crate::function::Scope;
use crate::{Engine, Error};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_jit::Callable;
use kaleidoscope_lang::names::Signature;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A function of an engine. Stays valid whatever is defined behind it.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) engine: Engine,
    pub(crate) callable: Callable,
    /// Keeps a formula's definition as long as somebody can call it.
    _formula: Option<Arc<Life>>,
}

impl Handle {
    /// What the name means now.
    pub(crate) fn of_name(engine: &Engine, name: &str) -> Result<Self, Error> {
        let program = engine.shared.program();
        let Some(id) = program.names.current(name) else { return Err(Error::unknown_function(name)) };
        drop(program);
        Ok(Self::new(engine, id))
    }

    /// The function of this id.
    pub(crate) fn new(engine: &Engine, id: FunctionId) -> Self {
        // The host may call it often.
        engine.jit.count_entries(id);
        Self { engine: engine.clone(), callable: engine.jit.callable(id), _formula: None }
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
        self.engine.shared.program().names.signature(self.callable.function()).clone()
    }

    /// Calls the function by itself: what [`Engine::enter`] and [`Self::call_in`] do, without a scope between them.
    pub(crate) fn call(&self, args: &[f64]) -> Result<f64, CallError> {
        if args.len() != self.callable.arity() as usize {
            return Err(self.wrong_count(args.len()));
        }
        self.engine.jit.call(self.callable, args, self.engine.limits).map_err(CallError::from)
    }

    /// Calls the function.
    ///
    /// # Panics
    /// When the scope is one of another engine.
    #[inline]
    pub(crate) fn call_in(&self, scope: &Scope<'_>, args: &[f64]) -> Result<f64, CallError> {
        assert!(
            Arc::ptr_eq(&scope.engine.shared, &self.engine.shared),
            "a scope calls functions of its own engine"
        );
        if args.len() != self.callable.arity() as usize {
            return Err(self.wrong_count(args.len()));
        }
        scope.calls.call(self.callable, args).map_err(CallError::from)
    }

    #[cold]
    pub(crate) fn wrong_count(&self, given: usize) -> CallError {
        let Signature { name, arity } = self.signature();
        CallError::from(Failure::ArgumentCount { name, given, takes: arity })
    }

    /// Makes the code now that the first call would make.
    pub(crate) fn prepare(&self) -> Result<(), CallError> {
        self.engine.jit.compile(self.callable.function()).map_err(CallError::from)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signature { name, arity } = self.signature();
        f.debug_struct("Handle").field("name", &name).field("arity", &arity).finish_non_exhaustive()
    }
}
