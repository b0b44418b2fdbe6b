//! Deadlines of guarded calls: one thread enforces all of them, and sleeps until the earliest.
//!
//! A call writes its deadline to its nesting level and continues. It wakes the deadline thread
//! only if that thread sleeps for longer. Calls in sequence with the same time limit never wake
//! it: the thread sleeps until the deadline of the first of them, and then looks for the next
//! deadline. Calls without a deadline cost nothing here.
//!
//! No deadline is missed. A call writes its deadline and then reads `wakes_at`; the thread sets
//! `wakes_at` to [`NEVER`] and then reads the deadlines. These four accesses are sequentially
//! consistent, so one of the two sees what the other has written.

use std::num::NonZeroU64;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::interrupt::{InterruptHandle, NestingLevel, active_levels};

/// In place of a time: the thread sleeps until it is woken.
const NEVER: u64 = u64::MAX;

/// The thread that enforces deadlines.
#[derive(Debug)]
struct DeadlineThread {
    wakes_at: AtomicU64,
    /// Whether the thread must read the deadlines again at once.
    is_woken: Mutex<bool>,
    condvar: Condvar,
    /// Whether another thread enforces the deadlines.
    is_superfluous: AtomicBool,
}

/// Null before the first deadline, and in a forked child, which has no such thread. Never freed.
static DEADLINE_THREAD: AtomicPtr<DeadlineThread> = AtomicPtr::new(null_mut());

/// Registers the deadline of the call on `level`. The call ends when the deadline passes.
pub(crate) fn register(
    level: &'static NestingLevel,
    handle: InterruptHandle,
    deadline: Instant,
) -> Result<(), Error> {
    let at = nanoseconds(deadline);
    if at <= nanoseconds(Instant::now()) {
        handle.expire();
        return Ok(());
    }
    level.set_deadline(NonZeroU64::new(at).unwrap_or(NonZeroU64::MIN));
    let thread = match started() {
        Some(thread) => thread,
        None => start()?,
    };
    if at < thread.wakes_at.load(Ordering::SeqCst) {
        thread.wake();
    }
    Ok(())
}

/// Forgets the deadline thread in a forked child, where it does not exist.
pub(crate) fn after_fork() {
    DEADLINE_THREAD.store(null_mut(), Ordering::Relaxed);
}

/// The time in nanoseconds since this clock was first read.
fn nanoseconds(time: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    u64::try_from(time.saturating_duration_since(start).as_nanos()).unwrap_or(NEVER - 1).min(NEVER - 1)
}

fn started() -> Option<&'static DeadlineThread> {
    // SAFETY: only `start` puts a pointer there, with a count of the `Arc` that is never given up.
    unsafe { DEADLINE_THREAD.load(Ordering::Acquire).as_ref() }
}

/// Starts the thread. It becomes known only once it runs: a caller that finds the pointer relies on
/// the thread. Callers that start threads at the same time agree on one of them.
#[cold]
fn start() -> Result<&'static DeadlineThread, Error> {
    // `is_woken` starts as true: a deadline is registered already.
    let thread = Arc::new(DeadlineThread {
        wakes_at: AtomicU64::new(NEVER),
        is_woken: Mutex::new(true),
        condvar: Condvar::new(),
        is_superfluous: AtomicBool::new(false),
    });
    let name = "kaleidoscope-deadlines".to_owned();
    let runs = Arc::clone(&thread);
    let spawned = thread::Builder::new().name(name).spawn(move || runs.run());
    spawned.map_err(|error| Error::deadline_thread(&error))?;
    let pointer = Arc::into_raw(thread);
    let null = null_mut();
    let published =
        DEADLINE_THREAD.compare_exchange(null, pointer.cast_mut(), Ordering::AcqRel, Ordering::Acquire);
    if published.is_err() {
        // Another caller was faster.
        // SAFETY: made by `into_raw` above, and no one else has seen the pointer.
        let thread = unsafe { Arc::from_raw(pointer) };
        thread.is_superfluous.store(true, Ordering::Relaxed);
        thread.wake();
    }
    Ok(started().expect("only a forked child, which has one thread, resets the pointer"))
}

impl DeadlineThread {
    #[cold]
    fn wake(&self) {
        *self.is_woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condvar.notify_one();
    }

    fn run(&self) {
        block_all_signals();
        let mut is_woken = self.is_woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_superfluous.load(Ordering::Relaxed) {
            *is_woken = false;
            self.wakes_at.store(NEVER, Ordering::SeqCst);
            let next = expire(nanoseconds(Instant::now()));
            self.wakes_at.store(next, Ordering::SeqCst);
            // A call that has read `NEVER` meanwhile waits for the lock, to wake this thread.
            let sleep = Duration::from_nanos(next.saturating_sub(nanoseconds(Instant::now())));
            if next == NEVER {
                is_woken = self
                    .condvar
                    .wait_while(is_woken, |is_woken| !*is_woken)
                    .unwrap_or_else(PoisonError::into_inner);
            } else {
                is_woken = self
                    .condvar
                    .wait_timeout_while(is_woken, sleep, |is_woken| !*is_woken)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        }
    }
}

/// Interrupts the calls whose deadline passed, and returns the earliest deadline of the others.
fn expire(now: u64) -> u64 {
    let mut next = NEVER;
    for (deadline, handle) in active_levels().filter_map(NestingLevel::deadline) {
        if deadline > now {
            next = next.min(deadline);
        } else {
            handle.expire();
        }
    }
    next
}

/// Leaves signals that are sent to the process to the program's own threads.
fn block_all_signals() {
    let mut all = std::mem::MaybeUninit::uninit();
    // SAFETY: fills a set of signals.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the set has been filled.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), null_mut()) };
}
