//! Steps of exits: blocks that several exits share.

use super::{BasicBlock, Operand};
use inkwell::values::PhiValue;

/// A block that exits go on to.
#[derive(Clone, Copy)]
pub(super) struct ExitStep<'cx> {
    pub(super) block: BasicBlock<'cx>,
    /// The number of the exit.
    pub(super) number: PhiValue<'cx>,
}

/// The block that writes the caller's values for the exits of an inlinee.
pub(super) struct CallerStep<'cx> {
    pub(super) step: ExitStep<'cx>,
    /// The caller's values.
    pub(super) values: Vec<Operand<'cx>>,
    /// The number of these values, and of those that the steps behind it write.
    pub(super) n_written: usize,
}
