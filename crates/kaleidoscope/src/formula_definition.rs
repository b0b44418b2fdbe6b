//! Formula definitions: withdraws a formula when its last handle is dropped.

use crate::Engine;
use kaleidoscope_ir::FunctionId;
use std::fmt;

/// The definition of a formula, which is withdrawn when the last handle of the formula is dropped.
pub(crate) struct FormulaDefinition {
    pub(crate) engine: Engine,
    pub(crate) id: FunctionId,
}

impl Drop for FormulaDefinition {
    fn drop(&mut self) {
        if !self.engine.jit.is_of_this_process() {
            return;
        }
        let mut program = self.engine.shared.program();
        let superseded = self.engine.withdraw(&mut program, self.id);
        program.free_formula(self.id);
        drop(program);
        // No caller could receive the error of an observer.
        drop(superseded.and_then(|superseded| self.engine.jit.settle(superseded)));
    }
}

impl fmt::Debug for FormulaDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormulaDefinition").field("id", &self.id).finish_non_exhaustive()
    }
}
