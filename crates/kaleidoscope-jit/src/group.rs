//! Groups: functions over the same parameters that are applied together.
//!
//! A group has a function of its own, whose results are those of the members: its IR calls each
//! member with all parameters. So a kernel or column program of that function has all members
//! inside, and computes what they have in common once. Redefining a member invalidates it like any
//! other code with an inlinee. Single calls and single rows call the members through their slots.

use crate::code::Callable;
use kaleidoscope_ir::FunctionId;
use std::sync::Arc;

/// Functions that are applied together, each to the same arguments. From [`crate::Jit::group`].
#[derive(Clone, Debug)]
pub struct Group {
    pub(crate) function: FunctionId,
    pub(crate) arity: u32,
    pub(crate) members: Arc<[Callable]>,
}

impl Group {
    /// The function that has the results of all members.
    pub fn function(&self) -> FunctionId {
        self.function
    }

    /// The number of arguments.
    pub fn arity(&self) -> u32 {
        self.arity
    }

    /// The functions, in the order of their results.
    pub fn members(&self) -> &[Callable] {
        &self.members
    }
}
