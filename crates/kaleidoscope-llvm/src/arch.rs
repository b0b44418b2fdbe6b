//! Machine specifics: what lowering must know of the processor architecture beyond LLVM's own
//! model.
//!
//! What a port must provide, in a file beside `x86_64.rs`:
//! - `RUNTIME_SYMBOLS`: the C maths functions that LLVM's code generator calls on its own where the
//!   processor lacks an instruction;
//! - `CONVERT_INDEX` and `INDEX_LANES`: an intrinsic that converts the first of as many doubles to
//!   an `i64`, truncated toward zero. For NaN and for what is out of range the result is negative;
//! - `vector_variant()`: the name by which LLVM's vectorizers know a vector maths function.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{CONVERT_INDEX, INDEX_LANES, RUNTIME_SYMBOLS, vector_variant};

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "kaleidoscope-llvm generates code for x86-64 only: src/arch.rs lists what a port to another \
     architecture must provide"
);
