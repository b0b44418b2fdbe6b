//! When old code may be freed: an epoch for each thread that is inside.
//!
//! Time is counted in retirements. A thread publishes what time it is when it enters generated code, and that it has left; a
//! body that was retired at some time may be freed when every thread that is inside entered later. The scheme
//! is that of epoch-based reclamation (Fraser, "Practical lock freedom", 2004), with the whole evaluation as the critical section.
//!
//! Entering and leaving take no lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use thread_local::ThreadLocal;

/// A point in time: how many retirements there were before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Epoch(u64);

/// The clock of one engine, and where its threads are.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    now: AtomicU64,
    threads: ThreadLocal<Inside>,
}

/// Where one thread is.
#[derive(Debug)]
struct Inside {
    /// When the thread entered; [`OUTSIDE`] if it is not inside. On a line of its own it would be faster for threads that
    /// enter at once; no measurement has asked for it.
    since: AtomicU64,
    /// Evaluations may nest. Only the thread itself looks at this.
    depth: AtomicU32,
}

/// Later than all times: nothing keeps what was retired.
const OUTSIDE: u64 = u64::MAX;

impl Default for Inside {
    fn default() -> Self {
        Self { since: AtomicU64::new(OUTSIDE), depth: AtomicU32::new(0) }
    }
}

impl Epochs {
    /// This thread is about to enter generated code, and stays inside until the result is dropped.
    #[inline]
    pub(super) fn enter(&self) -> InsideGuard<'_> {
        let inside = self.threads.get_or_default();
        let depth = inside.depth.load(Ordering::Relaxed);
        inside.depth.store(depth + 1, Ordering::Relaxed);
        if depth == 0 {
            inside.since.store(self.now.load(Ordering::SeqCst), Ordering::Relaxed);
            // What this thread reads of slots from here on comes after the store. Whoever retired a body and did not see
            // the store had re-pointed the slot before, so this thread reads the new target.
            fence(Ordering::SeqCst);
        }
        InsideGuard { inside }
    }

    /// The time at which a body is retired, whose slot was re-pointed before.
    pub(super) fn retire(&self) -> Epoch {
        fence(Ordering::SeqCst);
        Epoch(self.now.fetch_add(1, Ordering::SeqCst))
    }

    /// Bodies retired before this time have nobody inside.
    pub(super) fn oldest_inside(&self) -> Epoch {
        fence(Ordering::SeqCst);
        let since = self.threads.iter().map(|inside| inside.since.load(Ordering::SeqCst)).min();
        Epoch(since.unwrap_or(OUTSIDE))
    }
}

/// A thread is inside as long as this lives.
#[derive(Debug)]
pub(super) struct InsideGuard<'a> {
    inside: &'a Inside,
}

impl Drop for InsideGuard<'_> {
    fn drop(&mut self) {
        let depth = self.inside.depth.load(Ordering::Relaxed) - 1;
        self.inside.depth.store(depth, Ordering::Relaxed);
        if depth == 0 {
            self.inside.since.store(OUTSIDE, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests;
