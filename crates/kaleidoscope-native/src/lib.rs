//! The machine layer of a lazy JIT: dispatch stubs and slots, the lazy entry, guarded calls, code
//! memory.
//!
//! This crate knows no language and no code generator: it receives addresses of finished code. It
//! does not compile, decide or keep statistics. All functions have the C ABI of doubles: any
//! number of `double` parameters, and a `double` result.
//!
//! # Calls between generated functions
//!
//! Each function has one *slot*, a pointer at an address that never changes, and one *stub*, 16
//! bytes of code that jump through the slot. A slot without code leads to the *lazy entry*, which
//! requests code from the [`Runtime`] and continues in it. Redirecting a slot changes what all
//! callers run from their next call on. Read [`StubPool`], then `arch/x86_64/lazy_entry.rs`.
//!
//! # Guarded calls
//!
//! Rust enters generated code by a *guarded call*: [`call`](call()), or [`enter`] for many calls.
//! The code runs on a *guest stack*. It may overflow that stack or loop without end: the call ends
//! with a [`Trap`], and the thread and the process continue. The runtime, maths functions and
//! signal handlers run on the *host stack*. The first guarded call installs handlers of SIGSEGV,
//! SIGBUS, SIGFPE and SIGURG, which pass on signals that do not concern this crate. Read
//! `guarded_call.rs`, then `signals.rs`.
//!
//! # Floating-point modes
//!
//! Generated code and maths functions round to nearest, keep subnormal numbers and mask
//! exceptions, whatever the host's thread does; host functions run in the host's mode. Read
//! `float_mode.rs`.
//!
//! # Code memory
//!
//! [`CodeMemory`] stores finished code. No memory is ever writable and executable at once.
//!
//! [`ShownObject`] shows symbols and debug information of code to debuggers.
//!
//! Code that may become invalid while it runs reads a [`ValidityFlag`].
//!
//! # Example
//!
//! ```
//! use kaleidoscope_native::{CodeAddress, HostId, Runtime, StubId, StubPool, Trap, call};
//!
//! extern "C" fn half(x: f64) -> f64 {
//!     x / 2.0
//! }
//!
//! /// A runtime with the same code for every stub.
//! struct AlwaysHalf<'a>(&'a StubPool);
//!
//! // SAFETY: every stub here is called with one argument, as `half` takes it; `half` is never freed.
//! unsafe impl Runtime for AlwaysHalf<'_> {
//!     fn materialize(&self, stub: StubId) -> Result<CodeAddress, Trap> {
//!         let code = CodeAddress::new(half as *const () as usize);
//!         let stub = self.0.get(stub).ok_or_else(|| Trap::error("no such stub"))?;
//!         // SAFETY: as for the implementation.
//!         unsafe { stub.redirect(code) };
//!         Ok(code)
//!     }
//!     fn host_call(&self, _: HostId, _: &[f64]) -> Result<f64, Trap> {
//!         Err(Trap::error("no host functions"))
//!     }
//! }
//!
//! let stubs = StubPool::new();
//! let stub = stubs.allocate()?;
//! // SAFETY: the stub takes one argument, and outlives the call.
//! let value = unsafe { call(&AlwaysHalf(&stubs), stub.address(), &[84.0]) };
//! assert_eq!(value.ok(), Some(42.0));
//! # Ok::<(), kaleidoscope_native::Error>(())
//! ```

#![allow(unsafe_code, reason = "this crate is the boundary to machine code")]

mod guarded_call;
mod runtime;

mod activation;
mod deadline;
mod guest_stack;
mod host_stack;
mod interrupt;
mod interrupt_signal;
mod limits;
mod previous_handler;
mod signal_mask;
mod signal_stack;
mod signals;
mod stack_trace;
mod thread;
mod trap;
mod upcall;

mod host_slot;
mod host_stub;
mod stub;
mod stub_id;
mod stub_memory;
mod stub_pages;

mod code_memory;
mod debugger;
mod validity_flag;

mod address;
mod arch;
mod build_id;
mod error;
mod float_mode;
mod fork;
pub mod maths;
mod process;
mod vector_loop;

pub use address::CodeAddress;
pub use arch::{prefetch, processor_identity, run_vector_loop};
pub use build_id::build_id_at;
pub use code_memory::{CodeBlock, CodeMemory};
pub use debugger::ShownObject;
pub use error::{Error, ErrorKind};
pub use float_mode::{in_engine_mode, in_host_mode, set_engine_mode};
pub use fork::{OfProcess, Process};
pub use guarded_call::{
    GuardedScope, call, call_within, end_innermost, enter, in_guarded_call, keep_signals, pending_interrupt,
    thread_number, under,
};
pub use host_stack::{SpareStack, host_stack_left, is_host_stack_full};
pub use host_stub::{HostPool, HostStub};
pub use interrupt::{InterruptCause, InterruptHandle, Interrupter};
pub use limits::Limits;
pub use process::{exit_at_once, is_signal_ignored};
pub use runtime::Runtime;
pub use stack_trace::StackTrace;
pub use stub::{Stub, StubPool};
pub use stub_id::{HostId, StubId};
pub use trap::{Trap, drop_caught};
pub use validity_flag::{ValidityFlag, ValidityFlags};
pub use vector_loop::VectorLoop;
