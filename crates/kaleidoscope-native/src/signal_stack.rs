//! The signal stack: the alternate stack of a thread, where signal handlers run when the guest
//! stack is used up.
//!
//! An alternate stack that the thread already has is kept if it is large enough. A smaller one is
//! replaced, and restored when the thread ends.

use std::mem::MaybeUninit;
use std::ptr::{NonNull, null, null_mut};

use libc::stack_t;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::arch::PAGE_SIZE;
use crate::error::Error;

/// What handlers need, in bytes, beyond what the kernel saves: those of this crate, and the
/// previous handlers that they call.
const HANDLER_BYTES: usize = 32 << 10;

/// How many bytes the kernel saves, at most, on this processor.
pub(crate) fn kernel_bytes() -> usize {
    // SAFETY: returns a number.
    let known = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
    known.max(libc::MINSIGSTKSZ)
}

/// The alternate stack of this thread.
///
/// Promises:
/// 1. `own`, if there is one, is a mapping of `size` bytes after a guard page, which this value
///    alone owns.
/// 2. The value stays on the thread that made it.
#[derive(Debug)]
pub(crate) struct SignalStack {
    own: Option<NonNull<u8>>,
    size: usize,
    before: stack_t,
}

impl SignalStack {
    /// Ensures that this thread has an alternate stack of sufficient size.
    pub(crate) fn ensure() -> Result<Self, Error> {
        let size = (kernel_bytes() + HANDLER_BYTES).next_multiple_of(PAGE_SIZE);
        let before = current();
        if is_sufficient(&before) {
            return Ok(Self { own: None, size, before });
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: no address is given, so that no other mapping is replaced.
        let base = unsafe { mmap_anonymous(null_mut(), PAGE_SIZE + size, protection, MapFlags::PRIVATE) }
            .map_err(Error::signal_stack)?;
        let base = NonNull::new(base.cast::<u8>()).expect("the system maps the null page only on request");
        let stack = Self { own: Some(base), size, before };
        // SAFETY: the first page of a mapping of our own, which is not in use yet.
        unsafe { mprotect(base.as_ptr().cast(), PAGE_SIZE, MprotectFlags::empty()) }
            .map_err(Error::signal_stack)?;
        let action = stack_t { ss_sp: stack.start().cast(), ss_flags: 0, ss_size: size };
        // SAFETY: the memory stays mapped until `drop` has removed the alternate stack.
        match unsafe { libc::sigaltstack(&raw const action, null_mut()) } {
            0 => Ok(stack),
            _ => Err(Error::signal_stack(rustix::io::Errno::PERM)),
        }
    }

    /// Ensures it again, if the host has changed the alternate stack of this thread.
    pub(crate) fn keep(&mut self) -> Result<(), Error> {
        if !is_sufficient(&current()) {
            *self = Self::ensure()?;
        }
        Ok(())
    }

    fn start(&self) -> *mut u8 {
        // SAFETY: the mapping is larger than its guard page (promise 1).
        self.own.map_or(null_mut(), |base| unsafe { base.add(PAGE_SIZE) }.as_ptr())
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        let Some(base) = self.own else { return };
        // Threads started by Rust have removed the current alternate stack by now, and freed their
        // own.
        if current().ss_sp == self.start().cast() {
            // SAFETY: restores the previous one; this thread is not on the stack that is freed
            // (promise 2).
            unsafe { libc::sigaltstack(&raw const self.before, null_mut()) };
        }
        // SAFETY: the mapping is ours alone (promise 1), and no longer used.
        let unmapped = unsafe { munmap(base.as_ptr().cast(), PAGE_SIZE + self.size) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}

/// Whether the handlers can run on this stack.
fn is_sufficient(stack: &stack_t) -> bool {
    stack.ss_flags & libc::SS_DISABLE == 0 && stack.ss_size >= kernel_bytes() + HANDLER_BYTES
}

/// The alternate stack that this thread has now.
fn current() -> stack_t {
    let mut current = MaybeUninit::zeroed();
    // SAFETY: changes nothing; the structure is written in full.
    unsafe { libc::sigaltstack(null(), current.as_mut_ptr()) };
    // SAFETY: written above, and zero is valid too.
    unsafe { current.assume_init() }
}
