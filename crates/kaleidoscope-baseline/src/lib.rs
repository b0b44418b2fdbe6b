//! The baseline compiler: IR to machine code quickly, by Cranelift, in one pass over the
//! operations.
//!
//! [`Compiler::compile`] returns position-independent bytes. They refer to slots, functions of the
//! C maths library, host variables and counters by absolute address, and to nothing else outside
//! themselves. With [`Counters`] the code counts its entries and back edges, and calls the engine
//! when a counter trips.
//!
//! This crate neither runs nor stores code, and reads no files, clocks or environment. It asks the
//! processor for its instruction set extensions. Cranelift may never change a result: no
//! contraction, and no maths function under a name that Cranelift knows.

#![forbid(unsafe_code)]

mod arch;
mod compiler;
mod counter_code;
mod counters;
mod effort;
mod lower;
mod target;

pub use compiler::{Compiler, MachineCode};
pub use counters::{Counters, counter_table_len};

use kaleidoscope_ir::compile::CompileError;
use std::fmt;

fn failed(what: &str, why: &dyn fmt::Display) -> CompileError {
    CompileError::Failed(format!("{what}: {why}"))
}
