//! Machine specifics: everything in this crate that depends on the processor architecture.
//!
//! What a port must provide, in a folder beside `x86_64`:
//! - `Assembler`: a [`MacroAssembler`](crate::assembler::MacroAssembler), made by `Default`;
//! - `entry_thunk()`, `trip_thunk()` and `slot_thunk()`: the code of the three thunks, which
//!   preserve all registers for doubles.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{Assembler, entry_thunk, slot_thunk, trip_thunk};

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "kaleidoscope-baseline generates code for x86-64 only: src/arch.rs lists what a port to another \
     architecture must provide"
);
