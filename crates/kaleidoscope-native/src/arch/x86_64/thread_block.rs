//! What the assembly and the handlers of signals know of a thread, in a variable of the initial-exec model: one load finds
//! it, on a guest stack and in a handler too, where a function like `__tls_get_addr` must not be called. Rust has no way
//! to ask for that model, so the variable is defined in assembly.

use std::arch::{asm, global_asm};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicPtr, AtomicU32};

use super::crossing::Crossing;

/// The linker name of the thread block: two versions of this crate in one program have each their own.
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

/// The distance of the thread block from the thread pointer, as an operand.
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

/// What the assembly and the handlers know of a thread. All zero in a thread that has never entered generated code.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct ThreadBlock {
    /// Promise 1 of `assembly`.
    pub(crate) guest: AtomicPtr<Crossing>,
    /// Not 0 if somebody may want the thread to stop.
    pub(crate) attention: AtomicU32,
    /// What Rust knows of the thread.
    pub(crate) thread: AtomicPtr<()>,
    /// Not to be shared: that it is made of atomic words is for the handlers of the same thread.
    not_sync: PhantomData<*const ()>,
}

/// The block of this thread.
pub(crate) fn thread_block<'thread>() -> &'thread ThreadBlock {
    let address: *const ThreadBlock;
    // SAFETY: what the two instructions read never changes; they compute the address of a variable of this thread.
    unsafe {
        asm!(
            "mov {address}, qword ptr fs:[0]",
            concat!("add {address}, ", thread_offset!()),
            address = out(reg) address,
            options(pure, nomem, nostack),
        );
    }
    // SAFETY: the variable has this layout and starts as zeros, which are valid; it is there as long as its thread, and
    // the reference cannot be sent to another.
    unsafe { &*address }
}
