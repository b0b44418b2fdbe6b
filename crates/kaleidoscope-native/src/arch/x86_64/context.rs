//! What a signal handler sees of the thread it has interrupted, and how it sends it elsewhere.
//!
//! Only edits the context that the kernel has saved: what it says comes true when the handler returns.

use std::ffi::c_void;
use std::ptr::NonNull;

use super::assembly::land_address;
use super::crossing::Crossing;

/// The registers of an interrupted thread.
///
/// Promise: points to the context of a signal handler that has not returned, and nobody else refers to it.
#[derive(Debug)]
pub(crate) struct Context(NonNull<libc::ucontext_t>);

impl Context {
    /// # Safety
    /// `context` is the third argument of a signal handler, which does not return before this value is gone.
    pub(crate) unsafe fn new(context: *mut c_void) -> Option<Self> {
        NonNull::new(context.cast()).map(Self)
    }

    fn register(&self, register: libc::c_int) -> usize {
        // SAFETY: the promise of the type.
        let context = unsafe { self.0.as_ref() };
        context.uc_mcontext.gregs[register as usize] as usize
    }

    fn set(&mut self, register: libc::c_int, value: usize) {
        // SAFETY: the promise of the type.
        let context = unsafe { self.0.as_mut() };
        context.uc_mcontext.gregs[register as usize] = value as i64;
    }

    /// The program counter.
    pub(crate) fn pc(&self) -> usize {
        self.register(libc::REG_RIP)
    }

    /// The stack pointer.
    pub(crate) fn sp(&self) -> usize {
        self.register(libc::REG_RSP)
    }

    /// The frame pointer.
    pub(crate) fn fp(&self) -> usize {
        self.register(libc::REG_RBP)
    }

    /// Lets the thread go on by leaving through `crossing`.
    ///
    /// # Safety
    /// A call by way of `crossing` is running on this thread, and all frames above it may be skipped.
    pub(crate) unsafe fn leave_by(&mut self, crossing: &Crossing) {
        self.set(libc::REG_RIP, land_address());
        self.set(libc::REG_RDI, (&raw const *crossing).addr());
        // At once, not only in `land`: a handler of somebody else may run in between.
        self.set(libc::REG_RSP, crossing.host_sp());
    }
}
