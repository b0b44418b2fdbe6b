//! x86-64 Linux: the bytes of stubs, the assembly around generated code, and what signal handlers
//! see.
//!
//! The ABI is System V's (psABI 1.0, section 3.2):
//! - Doubles travel in xmm0 to xmm7, the rest on the stack, the first one lowest.
//! - The stack is aligned to 16 bytes before a call.
//! - rbx, rbp, r12 to r15 and the control bits of mxcsr and of the x87 unit are callee-saved.
//! - Vector registers are caller-saved. Only doubles are passed, so the upper parts of ymm and zmm
//!   hold no arguments; the SSE code here leaves them alone.

mod enter;
mod float_mode;
mod host_entry;
mod jit_interface;
mod lazy_entry;
mod processor;
mod signal_context;
mod stack_switch;
mod stub_code;
mod thread_block;
mod valgrind;
mod vector_loop;
mod vector_maths;

pub(crate) use enter::{NOT_ENTERED, RETURNED, enter};
pub(crate) use float_mode::{FloatMode, in_engine_x87_mode};
pub(crate) use host_entry::{host_entry_address, maths_thunk};
pub(crate) use lazy_entry::lazy_entry_address;
pub use processor::processor_identity;
pub(crate) use signal_context::{SignalContext, aligned_handler};
pub(crate) use stack_switch::{StackSwitch, call_on_stack, clear_upper_vectors, stack_pointer};
pub(crate) use stub_code::{STUB_SIZE, StubAddresses, entry_jump, host_stub, lazy_path, stub};
pub(crate) use thread_block::thread_block;
pub(crate) use valgrind::{KnownStack, code_has_changed};
pub use vector_loop::{prefetch, run_vector_loop};
pub(crate) use vector_maths::{VECTOR_LANES, vector_symbol};

use rustix::mm::MapFlags;

/// The size of a page in bytes.
pub(crate) const PAGE_SIZE: usize = 4096;

/// The flag of mappings below 2 GiB. An instruction contains such an address in four bytes.
pub(crate) const LOW_ADDRESSES: MapFlags = MapFlags::from_bits_retain(libc::MAP_32BIT as u32);

/// How many arguments travel in registers.
pub(crate) const N_REGISTER_ARGS: usize = 8;

/// The byte that fills unused code memory: `int3`, which traps.
pub(crate) const TRAP_BYTE: u8 = 0xcc;
