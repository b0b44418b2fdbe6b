//! Reclaiming code: when retired code may be freed.
//!
//! Time is counted in retirements (an *epoch*). A thread publishes the current epoch when it
//! enters generated code, and that it is outside when it leaves. Code retired in an epoch is freed
//! when every thread inside entered in a later one. This is epoch-based reclamation (Fraser,
//! "Practical lock freedom", 2004), with a whole evaluation as the critical section.
//!
//! Entering and leaving take no lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use thread_local::ThreadLocal;

/// A point in time: the number of retirements before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Epoch(u64);

/// The epoch clock of one engine, and the positions of its threads.
#[derive(Debug, Default)]
pub(crate) struct Epochs {
    now: AtomicU64,
    threads: ThreadLocal<ThreadEpoch>,
}

/// The position of one thread.
#[derive(Debug)]
struct ThreadEpoch {
    /// The epoch in which the thread entered; [`OUTSIDE`] if it is outside.
    since: AtomicU64,
    /// Nested evaluations. Only the thread itself uses this.
    depth: AtomicU32,
}

/// Later than every epoch: the thread keeps no retired code alive.
const OUTSIDE: u64 = u64::MAX;

impl Default for ThreadEpoch {
    fn default() -> Self {
        Self { since: AtomicU64::new(OUTSIDE), depth: AtomicU32::new(0) }
    }
}

impl Epochs {
    /// Enters generated code on this thread, until the guard is dropped.
    #[inline]
    pub(crate) fn enter(&self) -> InsideGuard<'_> {
        let thread = self.threads.get_or_default();
        let depth = thread.depth.load(Ordering::Relaxed);
        thread.depth.store(depth + 1, Ordering::Relaxed);
        if depth == 0 {
            thread.since.store(self.now.load(Ordering::SeqCst), Ordering::Relaxed);
            // This thread reads slots only after the store. A thread that retired code and did not
            // see the store had redirected the slot before, so this thread reads the new target.
            fence(Ordering::SeqCst);
        }
        InsideGuard { thread }
    }

    /// The epoch of code that is retired now. Its slot was redirected before.
    pub(crate) fn retire(&self) -> Epoch {
        fence(Ordering::SeqCst);
        Epoch(self.now.fetch_add(1, Ordering::SeqCst))
    }

    /// The oldest epoch in which a thread inside entered: code retired before it can be freed.
    pub(crate) fn oldest_inside(&self) -> Epoch {
        fence(Ordering::SeqCst);
        let since = self.threads.iter().map(|thread| thread.since.load(Ordering::SeqCst)).min();
        Epoch(since.unwrap_or(OUTSIDE))
    }
}

/// Keeps a thread inside.
#[derive(Debug)]
pub(crate) struct InsideGuard<'a> {
    thread: &'a ThreadEpoch,
}

impl Drop for InsideGuard<'_> {
    fn drop(&mut self) {
        let depth = self.thread.depth.load(Ordering::Relaxed) - 1;
        self.thread.depth.store(depth, Ordering::Relaxed);
        if depth == 0 {
            self.thread.since.store(OUTSIDE, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests;
