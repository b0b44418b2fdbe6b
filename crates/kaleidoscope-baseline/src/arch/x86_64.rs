//! x86-64: doubles in xmm registers, addresses in rax.
//!
//! Each instruction on doubles is written as one of AVX where the processor has AVX. A mixture
//! would be slow: instructions of SSE keep the upper half of a register, so each waits for the old
//! value of its result as soon as other code of the process has used AVX.

mod assembler;
mod dwarf;
mod thunks;

pub(crate) use assembler::Assembler;
pub(crate) use dwarf::{
    ELF_MACHINE, ENTERED_BYTES, FRAME_POINTER, FRAMED_BYTES, RETURN_ADDRESS, STACK_POINTER,
};
pub(crate) use thunks::{entry_thunk, slot_thunk, trip_thunk};
