//! A resolved function becomes machine code quickly: Cranelift generates it from one pass over the operations.
//!
//! [`Compiler::compile`] gives bytes that run wherever they are copied to: they refer to slots, functions of the C
//! maths library, variables of the host and counters by absolute address, and to nothing else outside themselves. [`Heat`] makes them count
//! how often they are entered and how often their loops turn, and ask for better code when that is often.
//!
//! Nothing here runs code, keeps functions, or reads files, clocks or the environment; of the machine it asks once
//! which instructions the processor has. Cranelift is never allowed to change a result: no contraction, no function of
//! the maths library under a name that it knows.

#![forbid(unsafe_code)]

mod arch;
mod compiler;
mod counter_code;
mod effort;
mod error;
mod heat;
mod lower;
mod target;

pub use compiler::{Code, Compiler};
pub use error::{Error, ErrorKind};
pub use heat::{Heat, n_cells};

use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::{Function, FunctionId, HostVariable};
use std::fmt;

/// What a call of a function goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// The code whose address is in the slot at this address, which is aligned to 8 and valid as long as the code.
    Slot {
        /// Where the slot is.
        address: usize,
    },
    /// A function of the C maths library.
    Maths(MathsFunction),
}

/// One function to compile, and what surrounds it.
#[derive(Clone, Copy)]
pub struct Unit<'a> {
    /// What it does.
    pub function: &'a Function,
    /// The function's own id, if it has one.
    pub id: Option<FunctionId>,
    /// What a call of each function goes to, the function itself included. Asked once for each call.
    pub callees: &'a dyn Fn(FunctionId) -> Callee,
    /// Where each variable of the host is, aligned to 8 and valid as long as the code. Asked once for each use.
    pub variables: &'a dyn Fn(HostVariable) -> usize,
    /// How the code counts; it does not if this is none.
    pub heat: Option<Heat>,
}

impl Unit<'_> {
    /// The slot by which the function is called; none if it has no id, and so cannot call itself.
    fn own_slot(&self) -> Option<usize> {
        match (self.callees)(self.id?) {
            Callee::Slot { address } => Some(address),
            Callee::Maths(_) => None,
        }
    }
}

impl fmt::Debug for Unit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unit")
            .field("function", &self.function.name)
            .field("heat", &self.heat)
            .finish_non_exhaustive()
    }
}
