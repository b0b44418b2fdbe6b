//! Machine specifics: everything in this crate that depends on the processor architecture.
//!
//! What a port must provide, in a folder beside `x86_64`:
//! - `TRIPLE`: the target triple by which Cranelift finds its code generator;
//! - `features()`: the Cranelift settings that this processor's instruction set extensions allow;
//! - `has_rounding_instructions()`: whether `floor`, `ceil`, `trunc` and `rint` are instructions.
//!   If not, lowering calls the C maths library;
//! - `CALL_RELOCATION`: the relocation of a call to code around the function (`counter_code.rs`);
//! - `N_REGISTER_PARAMS`: how many `double` parameters the C ABI passes in registers;
//! - `add_counters()`: the instructions that count entries, self tail calls and back edges, written
//!   around Cranelift's code.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{
    CALL_RELOCATION, N_REGISTER_PARAMS, TRIPLE, add_counters, features, has_rounding_instructions,
};

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "kaleidoscope-baseline generates code for x86-64 only: src/arch.rs lists what a port to another \
     architecture must provide"
);
