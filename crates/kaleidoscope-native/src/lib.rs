//! The machine under a lazy JIT: slots, stubs, the lazy entry, guarded calls, memory for code.
//!
//! Every function of a program is reached through one *slot*, a pointer at an address that never changes, and has one
//! *stub*, 16 bytes of code that jump through the slot. A slot without code leads through its stub into the *lazy
//! entry*, which asks the [`Runtime`] for code and goes on as if the code had been there all along. All functions have
//! the C ABI of doubles: any number of `double` parameters, a `double` back.
//!
//! This crate knows no language and no code generator: it is given addresses of finished code. Memory is never
//! writable and executable at once. Nothing here compiles, decides or keeps statistics.
//!
//! Generated code runs on a stack of its own, entered by [`call`](call()) or, for many calls, by [`enter`]. It may use up
//! that stack or loop for ever: the call ends with a [`Trap`], the thread and the process go on. For that the first
//! guarded call installs handlers of SIGSEGV, SIGBUS and SIGURG, which hand on what is not for them. The runtime, C's
//! maths functions and handlers run on the host's stacks.
//!
//! ```
//! use kaleidoscope_native::{CodeAddress, HostId, Runtime, StubId, StubPool, Trap, call};
//!
//! extern "C" fn half(x: f64) -> f64 {
//!     x / 2.0
//! }
//!
//! /// Has the same code for every stub.
//! struct AlwaysHalf<'a>(&'a StubPool);
//!
//! // SAFETY: every stub of the example is called with one argument, which is what `half` takes; `half` is never freed.
//! unsafe impl Runtime for AlwaysHalf<'_> {
//!     fn materialize(&self, stub: StubId) -> Result<CodeAddress, Trap> {
//!         let code = CodeAddress::new(half as *const () as usize);
//!         let stub = self.0.get(stub).ok_or_else(|| Trap::error("no such stub"))?;
//!         // SAFETY: as for the implementation as a whole.
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
//! // SAFETY: the stub takes one argument, and lives longer than the call.
//! let value = unsafe { call(&AlwaysHalf(&stubs), stub.address(), &[84.0]) };
//! assert_eq!(value.ok(), Some(42.0));
//! # Ok::<(), kaleidoscope_native::Error>(())
//! ```

#![allow(unsafe_code, reason = "this crate is the fence around machine code")]

mod address;
mod arch;
mod call;
mod code_memory;
mod deadline;
mod entry;
mod error;
mod exit;
mod host;
mod limits;
pub mod maths;
mod pages;
mod pool;
mod signal_stack;
mod signals;
mod stack;
mod stop;
mod stub;
mod thread;
mod trace;
mod trap;

pub use address::CodeAddress;
pub use call::{GuardedScope, Runtime, call, call_within, enter, in_guarded_call};
pub use code_memory::{CodeBlock, CodeMemory};
pub use error::{Error, ErrorKind};
pub use exit::exit_at_once;
pub use host::{HostId, HostPool, HostStub};
pub use limits::Limits;
pub use stop::{InterruptHandle, Interrupter};
pub use stub::{Stub, StubId, StubPool};
pub use trace::StackTrace;
pub use trap::Trap;
