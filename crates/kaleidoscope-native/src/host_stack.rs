//! The host stack: how full the calling thread's own stack is, and a stack for work that may need
//! more than it has left.
//!
//! The engine runs on stacks that it has not made: small threads of C programs, the bottom of a
//! recursion through host functions, coroutines. It never assumes room there. What recurses through
//! the engine asks [`is_host_stack_full`] at each entry; a compiler runs on a [`SpareStack`] where
//! little is left.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::thread;

use crate::arch::{call_on_stack, stack_pointer};
use crate::error::Error;
use crate::guest_stack::{GuestStack, rounded};

/// How many bytes are free at least where an entry of the engine finds that the stack is not full.
///
/// The engine itself needs less than half of that without optimization (test
/// `small_stacks` of the crate `kaleidoscope`). The rest is for the C library and host functions.
const MIN_RESERVE: usize = 32 << 10;

/// How many bytes host functions can use on a large stack before the engine asks again.
const MAX_RESERVE: usize = 256 << 10;

/// The stack of a thread.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    low: usize,
    high: usize,
}

impl Bounds {
    /// Without addresses: the system does not say where the stack is.
    const UNKNOWN: Self = Self { low: 0, high: 0 };

    /// The bytes below the stack pointer. `None` if it is on another stack.
    fn left_below(self, sp: usize) -> Option<usize> {
        (self.low..self.high).contains(&sp).then(|| sp - self.low)
    }

    /// The bytes that must be free for another evaluation.
    fn reserve(self) -> usize {
        ((self.high - self.low) / 4).clamp(MIN_RESERVE, MAX_RESERVE)
    }
}

thread_local! {
    /// The bounds of this thread's stack, once they are known. Without a destructor, so that they
    /// are known while the thread ends.
    static BOUNDS: Cell<Option<Bounds>> = const { Cell::new(None) };
}

#[inline]
fn bounds() -> Bounds {
    BOUNDS.get().unwrap_or_else(look_up_bounds)
}

#[cold]
fn look_up_bounds() -> Bounds {
    let bounds = system_bounds().unwrap_or(Bounds::UNKNOWN);
    BOUNDS.set(Some(bounds));
    bounds
}

/// The bounds of this thread's stack, as the C library knows them.
fn system_bounds() -> Option<Bounds> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: returns a number.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: reads the attributes of this thread, which are written if the result is 0.
    if unsafe { libc::pthread_getattr_np(this, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: written above.
    let mut attributes = unsafe { attributes.assume_init() };
    let (mut start, mut size) = (null_mut(), 0);
    // SAFETY: the attributes are valid, the others are variables of the right types.
    let answer = unsafe { libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size) };
    // SAFETY: the attributes are valid and not used afterwards.
    unsafe { libc::pthread_attr_destroy(&raw mut attributes) };
    (answer == 0).then(|| Bounds { low: start.addr(), high: start.addr() + size })
}

/// Whether the stack of this thread is too full for another evaluation. Host functions and
/// generated code that call each other without end fill it.
///
/// A stack is full when less than a quarter of it is left: at least 32 KiB, at most 256 KiB. So a
/// thread with a stack of 32 KiB or less can evaluate nothing. Returns `false` on a stack that the
/// thread was not started on, such as a coroutine's, because its size is unknown.
#[inline]
pub fn is_host_stack_full() -> bool {
    let bounds = bounds();
    // One comparison: a stack pointer that is not on this stack is far away.
    stack_pointer().wrapping_sub(bounds.low) < bounds.reserve()
}

/// The number of free bytes on the stack of this thread. `None` on a stack that the thread was not
/// started on.
pub fn host_stack_left() -> Option<usize> {
    bounds().left_below(stack_pointer())
}

/// A stack of its own for work that may need more than the calling thread's stack has left. Address
/// space of which only touched pages cost memory, above a guard.
#[derive(Debug)]
pub struct SpareStack(GuestStack);

// SAFETY: the mapping belongs to the process, not to a thread. A stack is used only while it is
// borrowed exclusively.
unsafe impl Send for SpareStack {}

impl SpareStack {
    /// A stack of this size in bytes.
    ///
    /// # Errors
    /// If the system refuses memory.
    pub fn new(n_bytes: usize) -> Result<Self, Error> {
        Ok(Self(GuestStack::map(rounded(n_bytes))?))
    }

    /// Runs `body` on this stack. A panic continues on the caller's stack.
    pub fn run<B: FnOnce() -> T, T>(&mut self, body: B) -> T {
        let mut work = Work { body: Some(body), result: None };
        // SAFETY: nothing uses the stack, because it is borrowed exclusively, and the caller has
        // chosen its size. The function does not unwind.
        unsafe { call_on_stack(self.0.high(), run_work::<B, T>, (&raw mut work).cast()) };
        match work.result.take().expect("the body has run") {
            Ok(value) => value,
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// What runs on a spare stack, and what it returned.
struct Work<B, T> {
    body: Option<B>,
    result: Option<thread::Result<T>>,
}

/// # Safety
/// `work` points to a `Work<B, T>` that nothing else accesses meanwhile.
unsafe extern "C" fn run_work<B: FnOnce() -> T, T>(work: *mut ()) {
    // SAFETY: the caller's promise.
    let work = unsafe { &mut *work.cast::<Work<B, T>>() };
    if let Some(body) = work.body.take() {
        work.result = Some(catch_unwind(AssertUnwindSafe(body)));
    }
}

#[cfg(test)]
mod tests;
