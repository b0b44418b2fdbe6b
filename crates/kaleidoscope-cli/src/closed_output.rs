//! Whether the command was started without standard output (`>&-` in a shell).
//!
//! Before `main`, Rust opens `/dev/null` in place of a standard stream that is closed, so that no
//! other file gets its number. Then output is lost without an error. So this file looks before:
//! the loader runs the functions of `.init_array` before Rust's own start.
#![allow(unsafe_code, reason = "the loader finds the function in a section of the executable")]

use std::sync::atomic::{AtomicBool, Ordering};

static IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether standard output was closed when the command started.
pub(crate) fn is_closed() -> bool {
    IS_CLOSED.load(Ordering::Relaxed)
}

// SAFETY: the section has pointers to functions that take what `look` ignores, and `look` needs
// nothing of what Rust prepares before `main`: it makes one system call and writes one word.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let is_open = rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_ok();
    IS_CLOSED.store(!is_open, Ordering::Relaxed);
}
