//! The thread block: thread-local words that assembly and signal handlers read and write.
//!
//! The variable uses the initial-exec TLS model, so one load finds it. That works on a guest stack
//! and in a signal handler too, where a function such as `__tls_get_addr` must not be called. Rust
//! cannot request that model, so the variable is defined in assembly.

use std::arch::{asm, global_asm};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicPtr, AtomicU32};

use super::stack_switch::StackSwitch;

/// The linker name of the thread block. It includes the version, because one program may contain
/// two versions of this crate.
macro_rules! thread_symbol {
    () => {
        concat!(
            "kaleidoscope_native_thread_",
            env!("CARGO_PKG_VERSION_MAJOR"),
            "_",
            env!("CARGO_PKG_VERSION_MINOR"),
            "_",
            env!("CARGO_PKG_VERSION_PATCH")
        )
    };
}

/// The offset of the thread block from the thread pointer, as an operand.
macro_rules! thread_offset {
    () => {
        concat!("qword ptr [rip + ", thread_symbol!(), "@gottpoff]")
    };
}
pub(super) use {thread_offset, thread_symbol};

global_asm!(
    ".pushsection .tbss.kaleidoscope_native, \"awT\", @nobits",
    ".p2align 3",
    concat!(".globl ", thread_symbol!()),
    concat!(".hidden ", thread_symbol!()),
    concat!(".type ", thread_symbol!(), ", @object"),
    concat!(".size ", thread_symbol!(), ", {size}"),
    concat!(thread_symbol!(), ":"),
    ".zero {size}",
    ".popsection",
    size = const size_of::<ThreadBlock>(),
);

/// The words of one thread. All are zero in a thread that has never entered generated code.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct ThreadBlock {
    /// The stack switch of the running generated code, or null: promise 1 of `enter.rs`.
    pub(crate) guest: AtomicPtr<StackSwitch>,
    /// Not 0 if an interrupt may be pending for the thread.
    pub(crate) interrupt_pending: AtomicU32,
    /// The thread's `Thread`, or null.
    pub(crate) thread: AtomicPtr<()>,
    /// The host's floating-point mode, while the engine's is on in its place; otherwise 0.
    pub(crate) host_mode: Cell<u32>,
    /// The signal that the handler of interrupts is passing on to the previous handler, or null.
    pub(crate) passed_on: AtomicPtr<()>,
    /// Not shared between threads: words are atomic because signal handlers of the same thread
    /// access them.
    not_sync: PhantomData<*const ()>,
}

/// The thread block of this thread.
pub(crate) fn thread_block<'thread>() -> &'thread ThreadBlock {
    let address: *const ThreadBlock;
    // SAFETY: what the two instructions read never changes; they compute the address of a variable
    // of this thread.
    unsafe {
        asm!(
            "mov {address}, qword ptr fs:[0]",
            concat!("add {address}, ", thread_offset!()),
            address = out(reg) address,
            options(pure, nomem, nostack),
        );
    }
    // SAFETY: the variable has this layout and starts as zeros, which are valid; it lives as long
    // as its thread, and the reference cannot be sent to another thread.
    unsafe { &*address }
}
