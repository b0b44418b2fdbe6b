//! Optimizers of a compiler: one for each distinct pass pipeline, created on first use.

use llvm_sys::prelude::LLVMModuleRef;

use super::optimize::Optimize;
use super::passes::Passes;
use crate::error::Error;
use crate::target_machine::TargetMachine;

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
        let idx = match self.0.iter().position(|(known, _)| known == passes) {
            Some(idx) => idx,
            None => match passes.create_optimizer(machine) {
                Some(optimizer) => self.add(passes.clone(), optimizer?),
                None => return Ok(()),
            },
        };
        self.0[idx].1.optimize(machine, module)
    }

    #[cold]
    fn add(&mut self, passes: Passes, optimizer: Box<dyn Optimize>) -> usize {
        self.0.push((passes, optimizer));
        self.0.len() - 1
    }
}
