//! Allocator of both sides: ends the process where memory is missing, with one sentence.
//!
//! Without it, Rust ends the process with two lines that mean something to Rust programmers, or
//! with a backtrace, for which there is no memory either.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process;

/// The system's allocator. Where it has no memory, the process aborts with a sentence on standard
/// error, and the C library's `errno` is `ENOMEM`: a handler of SIGABRT can tell.
///
/// Code that can do without memory gets null, as from any allocator.
#[derive(Clone, Copy, Debug)]
pub struct AbortingAllocator {
    can_do_without: fn() -> bool,
}

impl AbortingAllocator {
    /// An allocator that returns null where `can_do_without` says that the code which asks on this
    /// thread can do without memory. The function must not allocate.
    #[must_use]
    pub const fn unless(can_do_without: fn() -> bool) -> Self {
        Self { can_do_without }
    }

    fn check(&self, memory: *mut u8) -> *mut u8 {
        if memory.is_null() && !(self.can_do_without)() {
            end_process();
        }
        memory
    }
}

#[cold]
fn end_process() -> ! {
    // Without the lock of Rust's standard error, which another thread may hold for long. There is
    // nowhere to report that the text cannot be written.
    let _ = rustix::io::write(rustix::stdio::stderr(), b"error: out of memory\n");
    process::abort()
}

// SAFETY: `System` keeps the contract, and all calls are passed on to it as they are.
unsafe impl GlobalAlloc for AbortingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the same contract.
        self.check(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the same contract.
        self.check(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the same contract.
        self.check(unsafe { System.realloc(memory, layout, new_size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the same contract.
        unsafe { System.dealloc(memory, layout) };
    }
}
