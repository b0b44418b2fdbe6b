//! x86-64: doubles in xmm registers by SSE2 and SSE4.1, addresses in rax.
//!
//! AVX would save copies, since its instructions have three operands. A processor makes such copies
//! without latency, and one form of each instruction is easier to read and test.

mod assembler;
mod thunks;

pub(crate) use assembler::Assembler;
pub(crate) use thunks::{entry_thunk, slot_thunk, trip_thunk};
