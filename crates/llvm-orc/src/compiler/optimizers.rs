//! Optimizers of a compiler: one for each distinct pass pipeline, created on first use.

use llvm_sys::prelude::LLVMModuleRef;

use super::passes::Passes;
use crate::error::Error;
use crate::target_machine::TargetMachine;

/// Creates the optimizer for a pipeline. The machine must outlive the optimizer.
pub(super) type CreateOptimizer = fn(&TargetMachine, &Passes) -> Result<Box<dyn Optimize>, Error>;

/// Runs one pipeline on module after module.
pub(super) trait Optimize {
    /// Optimizes a module that is alive. `machine` is the one that the optimizer was created for.
    fn optimize(&mut self, machine: &TargetMachine, module: LLVMModuleRef) -> Result<(), Error>;
}

/// Optimizers for one target machine, reused for the modules of one context.
///
/// 1. Optimizers refer to the machine that they were created with. The owner drops them before the
///    machine and passes no other machine. They refer to a module only while they run.
#[derive(Default)]
pub(super) struct Optimizers(Vec<(Passes, Box<dyn Optimize>)>);

impl Optimizers {
    pub(super) fn optimize(
        &mut self,
        machine: &TargetMachine,
        module: LLVMModuleRef,
        passes: &Passes,
    ) -> Result<(), Error> {
        let Some(create) = passes.create_optimizer() else { return Ok(()) };
        let idx = match self.0.iter().position(|(known, _)| known == passes) {
            Some(idx) => idx,
            None => self.add(passes.clone(), create(machine, passes)?),
        };
        self.0[idx].1.optimize(machine, module)
    }

    #[cold]
    fn add(&mut self, passes: Passes, optimizer: Box<dyn Optimize>) -> usize {
        self.0.push((passes, optimizer));
        self.0.len() - 1
    }
}
