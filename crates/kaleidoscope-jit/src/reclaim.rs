//! Reclaiming code: when retired code may be freed.
//!
//! Time is counted in retirements (an *epoch*). A thread publishes the current epoch when it
//! enters generated code, and that it is outside when it leaves. Code retired in an epoch is freed
//! when every thread inside entered in a later one. This is epoch-based reclamation (Fraser,
//! "Practical lock freedom", 2004), with a whole evaluation as the critical section.
//!
//! Entering and leaving take no lock, and work while a thread ends, as far as guarded calls do.

use kaleidoscope_native as native;
use std::sync::OnceLock;

#[cfg(feature = "models")]
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(feature = "models"))]
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// A point in time: the number of retirements before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Epoch(u64);

/// Threads in the first chunk.
const FIRST: usize = 8;
/// As many chunks as four billion threads need.
const N_CHUNKS: usize = 30;

/// The epoch clock of one engine, and the positions of its threads.
#[derive(Debug, Default)]
pub(crate) struct Epochs {
    now: AtomicU64,
    /// By the thread's number, in chunks of doubling size, so that positions never move.
    threads: [OnceLock<Box<[ThreadEpoch]>>; N_CHUNKS],
}

/// The position of one thread. In a cache line of its own: threads write at every evaluation.
#[derive(Debug)]
#[repr(align(64))]
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
    ///
    /// # Errors
    /// If the thread cannot make guarded calls: it is ending.
    #[inline]
    pub(crate) fn enter(&self) -> Result<InsideGuard<'_>, native::Error> {
        Ok(self.enter_as(native::thread_number()?))
    }

    /// Enters as the thread with this number.
    #[inline]
    fn enter_as(&self, number: usize) -> InsideGuard<'_> {
        let thread = self.thread(number);
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

    /// The position of the thread with this number.
    #[inline]
    fn thread(&self, number: usize) -> &ThreadEpoch {
        let number = number + FIRST;
        let chunk = (number / FIRST).ilog2() as usize;
        let new = || (0..FIRST << chunk).map(|_| ThreadEpoch::default()).collect();
        &self.threads[chunk].get_or_init(new)[number - (FIRST << chunk)]
    }

    /// The epoch of code that is retired now. Its slot was redirected before.
    pub(crate) fn retire(&self) -> Epoch {
        fence(Ordering::SeqCst);
        Epoch(self.now.fetch_add(1, Ordering::SeqCst))
    }

    /// The oldest epoch in which a thread inside entered: code retired before it can be freed.
    pub(crate) fn oldest_inside(&self) -> Epoch {
        fence(Ordering::SeqCst);
        let threads = self.threads.iter().filter_map(OnceLock::get).flatten();
        let since = threads.map(|thread| thread.since.load(Ordering::SeqCst)).min();
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

#[cfg(all(test, feature = "models"))]
mod models;
#[cfg(all(test, not(feature = "models")))]
mod tests;
