//! The baseline compiler: IR to machine code quickly, in a single pass over the operations.
//!
//! [`Compiler::compile`] returns position-independent bytes. They refer to slots, functions of the
//! C maths library, host variables and counters by absolute address, and to nothing else outside
//! themselves. With [`Counters`] the code counts its entries and back edges, and calls the engine
//! when a counter trips.
//!
//! For a debugger the code has a [layout](MachineCode::layout), from which [`debug_object()`] makes
//! debug information.
//!
//! There is no representation between the IR and machine code. `lower.rs` decides where each value
//! is, and an assembler (`assembler.rs`) writes the instructions. The time is in proportion to the
//! function's size. The sources: Winch and Liftoff, the baseline compilers of Wasmtime and V8; and
//! A. Engelke, T. Schwarz, "Compile-Time Analysis of Compiler Frameworks for Query Compilation",
//! CGO 2024.
//!
//! This crate neither runs nor stores code, and reads no files, clocks or environment. It asks the
//! processor for its instruction set extensions.

#![forbid(unsafe_code)]

mod arch;
mod assembler;
mod compiler;
mod counters;
mod debug_object;
mod lower;
mod machine_code;

pub use compiler::Compiler;
pub use counters::{Counters, counter_table_len};
pub use debug_object::{DebuggedCode, debug_object};
pub use machine_code::{CodeLayout, MachineCode};
