//! Handles: a function of an engine, and the limits of its calls. [`crate::Function`],
//! [`crate::DynFunction`] and [`crate::Formula`] contain one.

use crate::call_error::CallError;
use crate::failure::Failure;
use crate::formula_definition::FormulaDefinition;
use crate::{Engine, Error};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_jit::{CallScope, Callable};
use kaleidoscope_lang::names::Signature;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A function of an engine. It stays valid when the function is redefined.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) engine: Engine,
    pub(crate) callable: Callable,
    /// For a formula: keeps its definition.
    _formula: Option<Arc<FormulaDefinition>>,
}

impl Handle {
    /// The function that has this name now.
    pub(crate) fn of_name(engine: &Engine, name: &str) -> Result<Self, Error> {
        engine.admit()?;
        let program = engine.shared.program();
        let Some(id) = program.names.current(name) else { return Err(Error::unknown_function(name)) };
        drop(program);
        Ok(Self::new(engine, id))
    }

    /// The function of this id.
    pub(crate) fn new(engine: &Engine, id: FunctionId) -> Self {
        // The host may call the function often, so its calls count towards a tier-up.
        engine.jit.count_entries(id);
        Self { engine: engine.clone(), callable: engine.jit.callable(id), _formula: None }
    }

    /// This handle, which also keeps the definition of its formula.
    pub(crate) fn keeping(self, formula: Arc<FormulaDefinition>) -> Self {
        Self { _formula: Some(formula), ..self }
    }

    /// A handle of the same function with this time limit for each call.
    pub(crate) fn within(&self, limit: Duration) -> Self {
        Self { engine: self.engine.within(limit), ..self.clone() }
    }

    /// An error unless the function takes this number of arguments.
    pub(crate) fn expect_arity(&self, requested: u32) -> Result<(), Error> {
        match self.callable.arity() {
            arity if arity == requested => Ok(()),
            arity => Err(Error::wrong_arity(&self.signature().name, requested, arity)),
        }
    }

    /// The function's name and arity.
    pub(crate) fn signature(&self) -> Signature {
        self.engine.shared.program().names.signature(self.callable.function()).clone()
    }

    /// Calls the function, as [`Engine::enter`] and [`Self::call_in`] do, but without a scope.
    pub(crate) fn call(&self, args: &[f64]) -> Result<f64, CallError> {
        self.check_count(args.len())?;
        let called = self.engine.jit.call(self.callable, args, self.engine.limits);
        called.map_err(|trap| self.engine.call_error(trap))
    }

    /// Calls the function in a scope.
    #[inline]
    pub(crate) fn call_in(&self, scope: &CallScope<'_>, args: &[f64]) -> Result<f64, CallError> {
        if args.len() != self.callable.arity() as usize {
            return Err(self.wrong_count(args.len()));
        }
        if !scope.can_call(self.callable) {
            return Err(self.foreign());
        }
        scope.call(self.callable, args).map_err(|trap| self.engine.call_error(trap))
    }

    /// An error unless the function takes this number of arguments, or columns.
    pub(crate) fn check_count(&self, given: usize) -> Result<(), CallError> {
        if given == self.callable.arity() as usize { Ok(()) } else { Err(self.wrong_count(given)) }
    }

    #[cold]
    pub(crate) fn wrong_count(&self, given: usize) -> CallError {
        let Signature { name, arity } = self.signature();
        self.engine.call_error(Failure::ArgumentCount { name, given, takes: arity })
    }

    #[cold]
    pub(crate) fn foreign(&self) -> CallError {
        self.engine.call_error(Failure::OtherEngine { name: self.signature().name })
    }

    /// Compiles the function now, instead of at its first call.
    pub(crate) fn prepare(&self) -> Result<(), CallError> {
        let compiled = self.engine.jit.compile(self.callable.function(), self.engine.limits);
        compiled.map_err(|trap| self.engine.call_error(trap))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signature { name, arity } = self.signature();
        f.debug_struct("Handle").field("name", &name).field("arity", &arity).finish_non_exhaustive()
    }
}
