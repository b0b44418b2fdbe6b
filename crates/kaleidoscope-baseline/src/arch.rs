//! Machine specifics: everything in this crate that depends on the processor architecture.
//!
//! What a port must provide, in a folder beside `x86_64`:
//! - `Assembler`: a [`MacroAssembler`](crate::assembler::MacroAssembler), made by `Default`;
//! - `entry_thunk()`, `trip_thunk()` and `slot_thunk()`: the code of the three thunks, which
//!   preserve all registers for doubles;
//! - the constants of `x86_64/dwarf.rs`: what debug information says of the processor.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{
    Assembler, ELF_MACHINE, ENTERED_BYTES, FRAME_POINTER, FRAMED_BYTES, RETURN_ADDRESS, STACK_POINTER,
    entry_thunk, slot_thunk, trip_thunk,
};

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "kaleidoscope-baseline generates code for x86-64 only: src/arch.rs lists what a port to another \
     architecture must provide"
);
