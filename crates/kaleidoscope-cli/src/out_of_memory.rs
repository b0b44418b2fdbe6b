//! Missing memory: the command ends with exit code 1 and a sentence on standard error, whichever of
//! its parts finds none.
//!
//! - Rust code asks the allocator, which writes the sentence and aborts. The interpreter can do
//!   without: the item ends with a stack overflow.
//! - LLVM and the C library write a sentence of their own and abort.
//! - A thread that Rust starts would panic if it got no alternate signal stack, which Rust gives to
//!   threads only if its own handler of stack overflows is installed. So it is not: the engine has
//!   one of its own.
//!
//! An abort for want of memory leaves ENOMEM in `errno`, by which the handler of SIGABRT knows it.
//! Where an abort has another cause, and an earlier call of the thread has left that number, the
//! exit code is 1, too; its message says what it is.
#![allow(unsafe_code, reason = "handlers of signals, one of them installed before Rust's start")]

use crate::Exit;
use crate::stop::Stop;
use kaleidoscope::ir::interpreter;
use kaleidoscope_plugin::AbortingAllocator;
use std::ffi::c_int;
use std::io;
use std::sync::OnceLock;

#[global_allocator]
static ALLOCATOR: AbortingAllocator = AbortingAllocator::unless(interpreter::is_growing);

/// How the command ends once it runs: with the output so far.
static STOP: OnceLock<Stop> = OnceLock::new();

/// From now on, the output so far is written where memory is missing.
pub(crate) fn end_by(stop: &Stop) {
    // There is one run.
    let _ = STOP.set(stop.clone());
}

// SAFETY: the section has pointers to functions that take what `prepare` ignores, and `prepare`
// needs nothing of what Rust prepares before `main`: it makes system calls.
#[used]
#[unsafe(link_section = ".init_array")]
static PREPARE: extern "C" fn() = prepare;

extern "C" fn prepare() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        handle(signal, die);
    }
    handle(libc::SIGABRT, end_if_out_of_memory);
}

fn handle(signal: c_int, handler: extern "C" fn(c_int)) {
    // SAFETY: `die` is async-signal-safe. The other one runs where the process aborts, which is at
    // a call of the C library.
    unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
}

/// Does what happens without a handler.
extern "C" fn die(signal: c_int) {
    // SAFETY: the process is about to end.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: the signal is blocked until this handler has returned.
    unsafe { libc::raise(signal) };
}

/// Ends the command with exit code 1 if the abort is for want of memory.
extern "C" fn end_if_out_of_memory(signal: c_int) {
    if io::Error::last_os_error().raw_os_error() != Some(libc::ENOMEM) {
        die(signal);
        return;
    }
    // Another abort from here on ends the command at once.
    handle(libc::SIGABRT, end_at_once);
    match STOP.get() {
        Some(stop) => stop.end(Exit::Program),
        None => kaleidoscope::exit_at_once(Exit::Program as u8),
    }
}

extern "C" fn end_at_once(_: c_int) {
    kaleidoscope::exit_at_once(Exit::Program as u8)
}
