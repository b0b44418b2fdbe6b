//! The optimizing compiler: IR to an LLVM module, an object, and code linked by ORC.
//!
//! [`lower()`] makes a module of a [`Unit`](kaleidoscope_ir::compile::Unit). [`pipeline()`] chooses the
//! passes that pay for it. [`effort()`] predicts whether LLVM's time stays bounded: for some shapes
//! of functions it grows faster than their size. [`Llvm`] does all of it as a code generator for
//! an engine.
//!
//! [`build()`] compiles a whole program ahead of time, with the same lowering.
//!
//! Lowering reads no files, clocks or environment. LLVM is never told anything that would let it
//! change a result: no fast-math flag, no contraction, no name of a C library function.

#![deny(unsafe_code)]

pub mod symbols;

mod arch;
mod backend;
mod build;
mod effort;
mod error;
mod lower;
mod pipeline;
mod relocate;

pub use backend::Llvm;
pub use build::build;
pub use effort::{Effort, effort};
pub use lower::{LinkedSymbol, References, lower};
pub use pipeline::pipeline;
