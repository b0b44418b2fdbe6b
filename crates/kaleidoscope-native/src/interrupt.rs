//! Interrupts: requests from outside to end a guarded call, addressed so that a late one hits
//! nothing.
//!
//! Each thread that makes guarded calls has a *thread record*, and in it a *nesting level* for
//! each depth of nested calls. A call, or a scope of calls, takes the next level and a new serial
//! number on it. An interrupt is addressed to one serial number of one level. If that call has
//! ended, the number is in the past and the interrupt has no effect.
//!
//! An interrupt writes the serial number to the level, and then sends a signal to the thread
//! (`interrupt_signal.rs`). Deadlines use the same way (`deadline.rs`).
//!
//! Everything here is atomic words that are never freed, and one system call. So it can be used
//! from any thread and from signal handlers.
//!
//! # Promises
//!
//! 1. `running` of a level is the serial number of the call on that level, or 0. Only the level's
//!    thread writes it, and no serial number is used twice.
//! 2. The levels in use are the first ones of a thread: a nested call has a later level than its
//!    outer call. Where coroutines alternate, outer calls may end first, and leave gaps.
//! 3. `interrupted` and `expired` only grow, and never exceed a serial number that `running` has
//!    had.
//! 4. Thread records and levels are never freed. A record belongs to one thread at a time, and that
//!    thread has no call running when it acquires or releases the record.

use std::num::NonZeroU64;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use crate::interrupt_signal;

/// Interrupts guarded calls from elsewhere: from another thread, or from a signal handler.
///
/// An interrupter is an identity: all copies interrupt the same calls, those made under
/// [`Limits`](crate::Limits) with this interrupter, on any thread. An interrupted call ends with
/// [`Trap::Interrupted`](crate::Trap::Interrupted): at once if it is in generated code, otherwise when
/// the host function, maths function or compiler that it waits for returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interrupter(NonZeroU64);

impl Interrupter {
    /// A new interrupter, which no call has yet.
    #[expect(
        clippy::new_without_default,
        reason = "each one is another, and a default would be the same one"
    )]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(NonZeroU64::new(number).expect("64 bits of numbers last for centuries"))
    }

    /// Interrupts all running calls under this interrupter, and returns their number. Calls that
    /// begin later are not affected.
    ///
    /// Async-signal-safe.
    #[expect(clippy::must_use_candidate, reason = "interrupting is what it is for")]
    pub fn interrupt(&self) -> usize {
        let mut n_interrupted = 0;
        for level in active_levels() {
            n_interrupted += usize::from(level.handle_under(*self).is_some_and(|handle| handle.interrupt()));
        }
        n_interrupted
    }
}

/// Interrupts one call, or one scope of calls. See
/// [`GuardedScope::interrupt_handle`](crate::GuardedScope::interrupt_handle).
#[derive(Clone, Copy, Debug)]
pub struct InterruptHandle {
    level: &'static NestingLevel,
    serial: u64,
}

impl InterruptHandle {
    /// Interrupts the call or scope if it is still running, and returns whether it was. Later
    /// calls on the same thread are never affected.
    ///
    /// An interrupted scope stays interrupted: its later calls end with the same trap.
    ///
    /// Async-signal-safe.
    #[expect(clippy::must_use_candidate, reason = "interrupting is what it is for")]
    pub fn interrupt(&self) -> bool {
        self.request(&self.level.interrupted)
    }

    /// Interrupts the call or scope because its deadline passed.
    pub(crate) fn expire(&self) -> bool {
        self.request(&self.level.expired)
    }

    fn request(&self, word: &AtomicU64) -> bool {
        let earlier = word.fetch_max(self.serial, Ordering::SeqCst);
        let is_running = self.level.running.load(Ordering::SeqCst) == self.serial;
        if is_running && earlier < self.serial {
            interrupt_signal::send(self.level.record.thread_id.load(Ordering::Relaxed));
        }
        is_running
    }
}

impl PartialEq for InterruptHandle {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.level, other.level) && self.serial == other.serial
    }
}

impl Eq for InterruptHandle {}

/// Why a call is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterruptCause {
    /// An [`Interrupter`] or [`InterruptHandle`].
    Interrupter,
    /// The call's deadline passed.
    Deadline,
}

/// What other threads know of a thread that makes guarded calls.
#[derive(Debug)]
pub(crate) struct ThreadRecord {
    /// Different from that of any other record, and small.
    number: usize,
    in_use: AtomicBool,
    thread_id: AtomicI32,
    outermost: OnceLock<&'static NestingLevel>,
    next: AtomicPtr<ThreadRecord>,
}

/// One depth of nested calls of a thread.
#[derive(Debug)]
pub(crate) struct NestingLevel {
    record: &'static ThreadRecord,
    running: AtomicU64,
    serial: AtomicU64,
    /// The interrupter of the running call, or 0.
    interrupter: AtomicU64,
    /// The deadline of the running call, on the clock of [`deadline`](crate::deadline), or 0.
    deadline: AtomicU64,
    interrupted: AtomicU64,
    expired: AtomicU64,
    next: OnceLock<&'static NestingLevel>,
}

/// The newest thread record; the others follow by `next`.
static THREAD_RECORDS: AtomicPtr<ThreadRecord> = AtomicPtr::new(null_mut());

fn thread_records() -> impl Iterator<Item = &'static ThreadRecord> {
    std::iter::successors(record_at(&THREAD_RECORDS), |record| record_at(&record.next))
}

/// The record that `THREAD_RECORDS` or `next` points to.
fn record_at(pointer: &AtomicPtr<ThreadRecord>) -> Option<&'static ThreadRecord> {
    // SAFETY: only `ThreadRecord::make` puts a pointer there, and a record is never freed (promise
    // 4).
    unsafe { pointer.load(Ordering::Acquire).as_ref() }
}

/// The levels that are in use, of all threads.
pub(crate) fn active_levels() -> ActiveLevels {
    ActiveLevels { level: None, record: record_at(&THREAD_RECORDS) }
}

/// The levels that are in use: the remaining ones of one record, then those of the records after
/// it.
///
/// A loop, because a chain of iterator adapters takes a frame for each adapter in unoptimized
/// builds. A signal handler may have a stack of 8 KiB, of which the kernel takes half.
#[derive(Debug)]
pub(crate) struct ActiveLevels {
    level: Option<&'static NestingLevel>,
    /// The record whose levels come next.
    record: Option<&'static ThreadRecord>,
}

impl Iterator for ActiveLevels {
    type Item = &'static NestingLevel;

    fn next(&mut self) -> Option<&'static NestingLevel> {
        loop {
            while let Some(level) = self.level {
                self.level = level.next.get().copied();
                if level.running.load(Ordering::Acquire) != 0 {
                    return Some(level);
                }
            }
            let record = self.record?;
            self.record = record_at(&record.next);
            self.level = record.outermost.get().copied();
        }
    }
}

impl ThreadRecord {
    /// Acquires a record for this thread, until [`release`](Self::release).
    pub(crate) fn acquire() -> &'static Self {
        let free = thread_records().find(|record| {
            record.in_use.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
        });
        let record = free.unwrap_or_else(Self::make);
        record.set_thread_id();
        record
    }

    fn make() -> &'static Self {
        static N_RECORDS: AtomicUsize = AtomicUsize::new(0);
        let record = Box::leak(Box::new(Self {
            number: N_RECORDS.fetch_add(1, Ordering::Relaxed),
            in_use: AtomicBool::new(true),
            thread_id: AtomicI32::new(0),
            outermost: OnceLock::new(),
            next: AtomicPtr::new(THREAD_RECORDS.load(Ordering::Relaxed)),
        }));
        let mut newest = *record.next.get_mut();
        while let Err(other) =
            THREAD_RECORDS.compare_exchange_weak(newest, record, Ordering::AcqRel, Ordering::Acquire)
        {
            record.next.store(other, Ordering::Relaxed);
            newest = other;
        }
        record
    }

    /// The number of the record.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    fn set_thread_id(&self) {
        self.thread_id.store(interrupt_signal::thread_id(), Ordering::Relaxed);
    }

    /// Makes the record free for another thread.
    pub(crate) fn release(&self) {
        self.thread_id.store(0, Ordering::Relaxed);
        // Calls of coroutines that were never resumed, or of threads that a fork left behind.
        for level in self.active_levels() {
            level.end();
        }
        self.in_use.store(false, Ordering::Release);
    }

    /// Releases the records of all other threads in a forked child, which has only the thread that
    /// forked. `own` is the record of this thread, if it has one.
    pub(crate) fn after_fork(own: Option<&Self>) {
        for record in thread_records() {
            if own.is_some_and(|own| std::ptr::eq(own, record)) {
                record.set_thread_id();
            } else {
                record.release();
            }
        }
    }

    /// The level of the next call of this thread: the first one that is not in use.
    #[inline]
    pub(crate) fn free_level(&'static self) -> &'static NestingLevel {
        let outermost = self.outermost.get_or_init(|| NestingLevel::make(self));
        if outermost.is_in_use() { outermost.free_level_behind() } else { outermost }
    }

    /// The levels of this thread that are in use, the outermost first (promise 2).
    fn active_levels(&self) -> ActiveLevels {
        ActiveLevels { level: self.outermost.get().copied(), record: None }
    }

    /// Requests the end of the innermost call of this thread, which is the caller's.
    #[cold]
    pub(crate) fn end_innermost(&self, cause: InterruptCause) {
        let Some(level) = self.active_levels().last() else { return };
        let handle = InterruptHandle { level, serial: level.running.load(Ordering::Relaxed) };
        match cause {
            InterruptCause::Interrupter => handle.interrupt(),
            InterruptCause::Deadline => handle.expire(),
        };
    }

    /// Why the innermost call of this thread must end: it, or a call around it, is interrupted.
    pub(crate) fn pending_interrupt(&self) -> Option<InterruptCause> {
        self.active_levels().find_map(NestingLevel::pending_interrupt)
    }
}

impl NestingLevel {
    fn make(record: &'static ThreadRecord) -> &'static Self {
        Box::leak(Box::new(Self {
            record,
            running: AtomicU64::new(0),
            serial: AtomicU64::new(0),
            interrupter: AtomicU64::new(0),
            deadline: AtomicU64::new(0),
            interrupted: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            next: OnceLock::new(),
        }))
    }

    fn is_in_use(&self) -> bool {
        self.running.load(Ordering::Relaxed) != 0
    }

    /// The first level behind this one that is not in use. Only for the level's thread.
    #[cold]
    fn free_level_behind(&'static self) -> &'static Self {
        let mut level = self;
        while level.is_in_use() {
            level = level.next.get_or_init(|| Self::make(level.record));
        }
        level
    }

    /// Begins a call on this level.
    pub(crate) fn begin(&'static self, interrupter: Option<Interrupter>) -> InterruptHandle {
        let serial = self.serial.load(Ordering::Relaxed) + 1;
        self.serial.store(serial, Ordering::Relaxed);
        self.interrupter.store(interrupter.map_or(0, |interrupter| interrupter.0.get()), Ordering::Relaxed);
        self.deadline.store(0, Ordering::Relaxed);
        // Release: a thread that reads the serial number also reads the two words above.
        self.running.store(serial, Ordering::Release);
        InterruptHandle { level: self, serial }
    }

    /// Ends the call on this level.
    pub(crate) fn end(&self) {
        self.running.store(0, Ordering::Release);
    }

    /// Sets the deadline of the running call.
    pub(crate) fn set_deadline(&self, deadline: NonZeroU64) {
        // Sequentially consistent: see `deadline`.
        self.deadline.store(deadline.get(), Ordering::SeqCst);
    }

    /// The deadline of the running call, and the call's handle.
    pub(crate) fn deadline(&'static self) -> Option<(u64, InterruptHandle)> {
        let (deadline, handle) = self.read_with_handle(&self.deadline)?;
        (deadline != 0).then_some((deadline, handle))
    }

    /// The handle of the running call, if the call is under this interrupter.
    fn handle_under(&'static self, interrupter: Interrupter) -> Option<InterruptHandle> {
        let (number, handle) = self.read_with_handle(&self.interrupter)?;
        (number == interrupter.0.get()).then_some(handle)
    }

    /// Reads a word of the running call, and the call's handle.
    ///
    /// If the call ends meanwhile, the word may be that of the next call with the handle of the
    /// ended call, which is harmless, but never the other way round.
    fn read_with_handle(&'static self, word: &AtomicU64) -> Option<(u64, InterruptHandle)> {
        let serial = self.running.load(Ordering::SeqCst);
        let value = word.load(Ordering::SeqCst);
        (serial != 0).then_some((value, InterruptHandle { level: self, serial }))
    }

    fn pending_interrupt(&self) -> Option<InterruptCause> {
        let running = self.running.load(Ordering::SeqCst);
        if self.interrupted.load(Ordering::SeqCst) >= running {
            Some(InterruptCause::Interrupter)
        } else if self.expired.load(Ordering::SeqCst) >= running {
            Some(InterruptCause::Deadline)
        } else {
            None
        }
    }
}
