//! x86-64 Linux: the bytes of stubs, the assembly that enters, interrupts and leaves generated code, and what a signal
//! handler sees of it.
//!
//! The ABI is System V's (psABI 1.0, section 3.2): doubles in xmm0–xmm7, the rest on the stack, the first lowest; the
//! stack is aligned to 16 bytes before a call; rbx, rbp, r12–r15 and the control bits of mxcsr and of the x87 unit are
//! the callee's to keep. Vector registers are the caller's, and only doubles are passed: the upper parts of ymm and zmm
//! hold nothing, and the code here, being SSE, leaves them alone.

mod assembly;
mod context;
mod crossing;
mod stubs;
mod thread_block;
mod vector_maths;

pub(crate) use assembly::*;
pub(crate) use context::Context;
pub(crate) use crossing::{Crossing, forget_vectors, stack_pointer};
pub(crate) use stubs::*;
pub(crate) use thread_block::thread_block;
pub(crate) use vector_maths::{VECTOR_LANES, vector_symbol};

/// The size of a page in bytes: the processor has no other that a mapping could start at.
pub(crate) const PAGE_SIZE: usize = 4096;

/// How many arguments travel in registers.
pub(crate) const N_REGISTERS: usize = 8;

/// The byte that fills unused code memory: `int3`, which traps.
pub(crate) const TRAP_BYTE: u8 = 0xcc;
