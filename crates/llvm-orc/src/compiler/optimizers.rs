//! The optimisers that a compiler has made so far, one for each choice of passes.

use llvm_sys::prelude::LLVMModuleRef;

use super::passes::Passes;
use crate::error::Error;
use crate::target_machine::TargetMachine;

/// Makes the optimiser of the passes it is a part of, for a machine that outlives it.
pub(super) type CreateOptimizer = fn(&TargetMachine, &Passes) -> Result<Box<dyn Optimize>, Error>;

/// What optimises one module after the other.
pub(super) trait Optimize {
    /// Optimises a module that is alive, for the machine that the optimiser was made for.
    fn optimize(&mut self, machine: &TargetMachine, module: LLVMModuleRef) -> Result<(), Error>;
}

/// The optimisers for one machine, kept between the modules of one context.
///
/// 1. They refer to the machine that they were made with, so the owner drops them before it, and passes none other.
///    They refer to a module only while they run.
#[derive(Default)]
pub(super) struct Optimizers(Vec<(Passes, Box<dyn Optimize>)>);

impl Optimizers {
    pub(super) fn optimize(
        &mut self,
        machine: &TargetMachine,
        module: LLVMModuleRef,
        passes: &Passes,
    ) -> Result<(), Error> {
        let Some(make) = passes.create_optimizer() else { return Ok(()) };
        let place = match self.0.iter().position(|(made, _)| made == passes) {
            Some(place) => place,
            None => self.add(passes.clone(), make(machine, passes)?),
        };
        self.0[place].1.optimize(machine, module)
    }

    #[cold]
    fn add(&mut self, passes: Passes, optimizer: Box<dyn Optimize>) -> usize {
        self.0.push((passes, optimizer));
        self.0.len() - 1
    }
}
