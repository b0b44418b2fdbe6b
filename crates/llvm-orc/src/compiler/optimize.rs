//! Interface of optimizers, which `shim.rs` and `c_api.rs` implement.

use llvm_sys::prelude::LLVMModuleRef;

use crate::error::Error;
use crate::target_machine::TargetMachine;

/// Runs one pipeline on module after module.
pub(super) trait Optimize {
    /// Optimizes a module that is alive. `machine` is the one that the optimizer was created for.
    fn optimize(&mut self, machine: &TargetMachine, module: LLVMModuleRef) -> Result<(), Error>;
}
