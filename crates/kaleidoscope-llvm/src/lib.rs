//! A resolved function becomes an LLVM module: one function in it, its body, calling others through their slots.
//!
//! [`lower`] makes the module, [`pipeline`] names the passes that pay for such a module, [`effort`] says beforehand
//! whether LLVM can be asked at all: its time grows faster than the text for some shapes. [`lower_hot`],
//! [`pipeline_hot`] and [`effort_hot`] do the same for hot code: a function with the bodies of others, or one of its
//! loops ([`HotUnit`]).
//!
//! Nothing here runs code, keeps state, or reads files, clocks or the environment. LLVM is never told anything that
//! would let it change a result: no fast-math flag, no contraction, no name it knows from the C library.

#![deny(unsafe_code)]

pub mod symbols;

mod arch;
mod backend;
mod effort;
mod hot;
mod lower;
mod pipeline;

pub use backend::Llvm;
pub use effort::{Effort, effort, effort_hot};
pub use hot::HotUnit;
pub use kaleidoscope_ir::compile::{CodeKind, Instance, KernelKind, VectorMaths};
pub use lower::{lower, lower_hot};
pub use pipeline::{OptLevel, Pass, pipeline, pipeline_hot, pipeline_rows};

use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::{Function, FunctionId, HostVariable};
use std::fmt;

/// What a call of a function goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callee {
    /// The code whose address is in the slot at this address, which is aligned to 8 and valid as long as the code.
    Slot {
        /// Where the slot is.
        address: u64,
    },
    /// The same with the slot as an external symbol: readable, and for whoever links objects.
    SlotSymbol(String),
    /// A function of the C maths library.
    Maths(MathsFunction),
}

/// Where a variable of the host is: a double, aligned to 8, and valid as long as the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// At this address.
    Address(u64),
    /// At an external symbol.
    Symbol(String),
}

/// One function to make a module of, and what surrounds it.
#[derive(Clone, Copy)]
pub struct Unit<'a> {
    /// What it does.
    pub function: &'a Function,
    /// The linker name of the body, made by [`symbols::body`].
    pub symbol: &'a str,
    /// What a call of each function goes to, the function itself included. Asked once for each call.
    pub callees: &'a dyn Fn(FunctionId) -> Callee,
    /// Where each variable of the host is. Asked once for each use.
    pub variables: &'a dyn Fn(HostVariable) -> Variable,
}

impl fmt::Debug for Unit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unit").field("symbol", &self.symbol).finish_non_exhaustive()
    }
}
