//! Scopes: guarded calls that were prepared together.

use super::Core;
use crate::batch::Rows;
use crate::code::{Callable, FunctionCode, KernelCode, OsrCode};
use crate::interrupt::Watch;
use crate::profile::ProfiledCode;
use crate::trap::Trap;
use kaleidoscope_native::{self as native, GuardedScope};

/// Guarded calls that [`Core::enter`] has prepared.
pub(crate) struct CoreScope<'a> {
    pub(super) core: &'a Core,
    pub(super) scope: &'a GuardedScope<'a>,
    pub(super) watch: &'a Watch<'a>,
}

impl CoreScope<'_> {
    pub(crate) fn core(&self) -> &Core {
        self.core
    }

    /// Calls a function of this engine for the host. As in a single call, the interpreter may run
    /// the first one.
    #[inline]
    pub(crate) fn call_for_host(&self, function: Callable, args: &[f64]) -> Result<f64, Trap> {
        if self.core.settings.mode.has_interpreter_tier()
            && self.core.is_lazy(function)
            && let Some(result) = self.interpret_first_call(function, args)
        {
            return result;
        }
        self.call(function, args)
    }

    #[cold]
    fn interpret_first_call(&self, function: Callable, args: &[f64]) -> Option<Result<f64, Trap>> {
        let interpret = || self.core.interpret_first_call(function.function(), args, self.watch);
        self.run_unguarded(interpret).and_then(Option::transpose).transpose()
    }

    /// Calls a function of this engine.
    #[inline]
    pub(crate) fn call(&self, function: Callable, args: &[f64]) -> Result<f64, Trap> {
        function.call(self.core.id, self.scope, args).map_err(|trap| self.trap(trap, None))
    }

    /// Calls code that belongs to no function.
    pub(crate) fn call_code(&self, code: &ProfiledCode) -> Result<f64, Trap> {
        code.code.call(self.scope, &[]).map_err(|trap| self.trap(trap, Some(code)))
    }

    /// Calls code of one version of a function, which was looked up inside this scope.
    pub(crate) fn call_version(&self, function: FunctionCode, args: &[f64]) -> Result<f64, Trap> {
        function.call(self.scope, args).map_err(|trap| self.trap(trap, None))
    }

    /// Runs OSR code, which was looked up inside this scope. Returns whether the loop has ended.
    pub(crate) fn run_osr(&self, code: OsrCode, variables: &mut [f64]) -> Result<bool, Trap> {
        code.run(self.scope, variables).map_err(|trap| self.trap(trap, None))
    }

    /// Runs a piece of a batch that needs no generated code, unless an interrupt came before.
    pub(crate) fn run_unguarded<R>(&self, body: impl FnOnce() -> R) -> Result<R, Trap> {
        self.scope.run_unguarded(body).map_err(|trap| self.trap(trap, None))
    }

    /// Computes rows by a kernel, which was looked up inside this scope, until none is left or the
    /// kernel is invalid.
    pub(crate) fn run_kernel(&self, kernel: &KernelCode, rows: &mut Rows<'_>) -> Result<(), Trap> {
        kernel.run(self.scope, rows).map_err(|trap| self.trap(trap, None))
    }

    /// Translates a trap of the machine layer.
    #[cold]
    fn trap(&self, trap: native::Trap, outermost: Option<&ProfiledCode>) -> Trap {
        let trap = self.core.trap(trap, outermost);
        match trap {
            // What stops the evaluation may be why the host function failed. An interrupt reaches
            // what the host function evaluates a moment before it reaches this call.
            Trap::Host { ref inside, .. } => match self.watch.check() {
                Some(cause) => cause.into_trap(inside.clone()),
                None => trap,
            },
            trap => trap,
        }
    }

    /// The handle by which another thread interrupts this scope alone.
    #[cfg(feature = "rayon")]
    pub(crate) fn interrupt_handle(&self) -> native::InterruptHandle {
        self.scope.interrupt_handle()
    }
}
