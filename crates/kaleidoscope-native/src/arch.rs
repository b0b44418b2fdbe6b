//! Machine specifics: everything in this crate that depends on the processor architecture, the
//! operating system, or both.
//!
//! What a port must provide, in a folder beside `x86_64`:
//!
//! - `PAGE_SIZE`, `N_REGISTER_ARGS`, `TRAP_BYTE`: the page size; how many arguments the C ABI
//!   passes in registers; the filler of unused code memory.
//! - `LOW_ADDRESSES`: the flag of mappings whose addresses generated code encodes in a short form,
//!   or no flag.
//! - `STUB_SIZE`, `StubAddresses`, `stub`, `host_stub`, `lazy_path`, `entry_jump`: the bytes of
//!   stubs, which jump through a slot or into an entry.
//! - `StackSwitch`: the two stacks of an activation, and the floating-point mode of its caller.
//! - `FloatMode`, `in_engine_x87_mode`: the floating-point mode of a thread, which `enter`
//!   switches; that of a second unit.
//! - `enter`, `RETURNED`, `NOT_ENTERED`: enter generated code on a guest stack, and say how it
//!   ended.
//! - `lazy_entry_address`, `host_entry_address`, `maths_thunk`: leave the guest stack for the
//!   runtime, a host function or a maths function.
//! - `thread_block`: the thread-local words that assembly and signal handlers read.
//! - `aligned_handler!`: a signal handler that does not rely on an aligned stack.
//! - `SignalContext`: the registers of a thread that a signal handler interrupted, and the way to
//!   send that thread out of generated code.
//! - `stack_pointer`, `call_on_stack`, `clear_upper_vectors`: the stack pointer; a call on another
//!   stack; clears vector registers after generated code was exited from outside.
//! - `KnownStack`, `code_has_changed`: requests to Valgrind; they may do nothing.
//! - the symbols of GDB's JIT interface: `__jit_debug_register_code`, `__jit_debug_descriptor`.
//! - `run_vector_loop`: runs a loop of Rust in the copy with the widest vectors.
//! - `processor_identity`: the processor's model and features.
//! - `VECTOR_LANES`, `vector_symbol`: the vector function ABI of the C maths library.
//!
//! The assembly keeps the promises that `x86_64/enter.rs` lists; signal handlers rely on them.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod x86_64;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) use x86_64::*;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub use x86_64::{prefetch, processor_identity, run_vector_loop};

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
compile_error!(
    "kaleidoscope-native runs on x86-64 Linux with glibc only: src/arch.rs lists what a port to another \
     architecture must provide, and src/maths.rs names the C maths library"
);
