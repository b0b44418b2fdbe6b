//! The alternate stack of a thread: where handlers run when the guest stack is used up.
//!
//! One that is there already and large enough is left alone; a smaller one comes back when the thread ends, if it is
//! still there to come back to.

use std::mem::MaybeUninit;
use std::ptr::{NonNull, null, null_mut};

use libc::stack_t;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::arch::PAGE_SIZE;
use crate::error::Error;

/// What handlers need beside what the kernel saves, in bytes: those here, and those that they hand on to.
const FOR_HANDLERS: usize = 32 << 10;

/// The least size in bytes that the kernel wants for what it saves on this processor.
pub(crate) fn least() -> usize {
    // SAFETY: asks for a number.
    let known = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
    known.max(libc::MINSIGSTKSZ)
}

/// An alternate stack of this thread.
///
/// Promises:
/// 1. `own`, if there is one, is a mapping of `size` bytes after a guard page, which this value alone owns.
/// 2. The value stays on the thread that made it.
#[derive(Debug)]
pub(crate) struct SignalStack {
    own: Option<NonNull<u8>>,
    size: usize,
    before: stack_t,
}

impl SignalStack {
    /// Sees to it that this thread has one.
    pub(crate) fn ensure() -> Result<Self, Error> {
        let size = (least() + FOR_HANDLERS).next_multiple_of(PAGE_SIZE);
        let before = current();
        if before.ss_flags & libc::SS_DISABLE == 0 && before.ss_size >= least() + FOR_HANDLERS {
            return Ok(Self { own: None, size, before });
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: no address is asked for, so that no other mapping is replaced.
        let base = unsafe { mmap_anonymous(null_mut(), PAGE_SIZE + size, protection, MapFlags::PRIVATE) }
            .map_err(Error::signal_stack)?;
        let base = NonNull::new(base.cast::<u8>()).expect("the system never maps the null page unasked");
        let stack = Self { own: Some(base), size, before };
        // SAFETY: the first page of a mapping of our own, which nobody uses yet.
        unsafe { mprotect(base.as_ptr().cast(), PAGE_SIZE, MprotectFlags::empty()) }
            .map_err(Error::signal_stack)?;
        let action = stack_t { ss_sp: stack.start().cast(), ss_flags: 0, ss_size: size };
        // SAFETY: the memory is there until the stack is taken down again, by `drop`.
        match unsafe { libc::sigaltstack(&raw const action, null_mut()) } {
            0 => Ok(stack),
            _ => Err(Error::signal_stack(rustix::io::Errno::PERM)),
        }
    }

    fn start(&self) -> *mut u8 {
        // SAFETY: the mapping is larger than its guard page (promise 1).
        self.own.map_or(null_mut(), |base| unsafe { base.add(PAGE_SIZE) }.as_ptr())
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        let Some(base) = self.own else { return };
        // Rust's own threads have taken down whatever is there by now, and their own with it.
        if current().ss_sp == self.start().cast() {
            // SAFETY: what was there before comes back; this thread is not on the stack that goes (promise 2).
            unsafe { libc::sigaltstack(&raw const self.before, null_mut()) };
        }
        // SAFETY: the mapping is ours alone (promise 1), and no longer used.
        let unmapped = unsafe { munmap(base.as_ptr().cast(), PAGE_SIZE + self.size) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}

/// The alternate stack that this thread has now.
fn current() -> stack_t {
    let mut current = MaybeUninit::zeroed();
    // SAFETY: asks only; the structure is written in full.
    unsafe { libc::sigaltstack(null(), current.as_mut_ptr()) };
    // SAFETY: written above, and zero is valid too.
    unsafe { current.assume_init() }
}
