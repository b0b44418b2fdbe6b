//! Forks: what belongs to one process, and how a forked child knows that it does not.
//!
//! A child has the memory of its parent, but only the thread that forked. Whatever another thread
//! was changing stays half changed, and the locks that it held stay locked. So what the parent made
//! is not used in the child, and not even dropped there.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How often this process and its ancestors were forked, counted in the children.
static N_FORKS: AtomicU32 = AtomicU32::new(0);

/// A process, as opposed to its forked children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

impl Process {
    /// This process. From now on its children, made by `fork` of the C library, are recognized.
    pub fn current() -> Self {
        register_fork_handler();
        Self::known()
    }

    /// As [`current`](Self::current), after a first call of that.
    #[inline]
    pub(crate) fn known() -> Self {
        Self(N_FORKS.load(Ordering::Relaxed))
    }

    /// Whether the caller is in this process, and not in a forked child.
    #[inline]
    pub fn is_current(self) -> bool {
        self == Self::known()
    }

    /// Whether this process was forked by one that had used this crate before.
    pub fn is_child(self) -> bool {
        self.0 > 0
    }
}

/// Registers the handler that counts forks.
fn register_fork_handler() {
    extern "C" fn in_child() {
        N_FORKS.fetch_add(1, Ordering::Relaxed);
    }
    static HANDLED: Handled = Handled::new();
    HANDLED.by(in_child);
}

/// Whether the forks of this process are handled by a function.
pub(crate) struct Handled(AtomicBool);

impl Handled {
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Lets the forked children of this process begin with `in_child`, which must touch nothing but
    /// atomic words and words of its thread, and may run several times.
    ///
    /// Threads that come here at the same time register it once each. If they waited for each
    /// other, a child that is forked meanwhile would wait for a thread that it does not have.
    pub(crate) fn by(&self, in_child: extern "C" fn()) {
        if self.0.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: guaranteed by the caller.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        self.0.store(true, Ordering::Release);
    }
}

/// A value that belongs to the process that made it. A forked child does not drop it: its memory is
/// lost there.
pub struct OfProcess<T> {
    value: ManuallyDrop<T>,
    process: Process,
}

impl<T> OfProcess<T> {
    /// A value of this process.
    pub fn new(value: T) -> Self {
        Self { value: ManuallyDrop::new(value), process: Process::current() }
    }

    /// The process that made the value.
    #[inline]
    pub fn process(&self) -> Process {
        self.process
    }
}

impl<T> Deref for OfProcess<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Drop for OfProcess<T> {
    fn drop(&mut self) {
        if self.process.is_current() {
            // SAFETY: dropped here only, and not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for OfProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
