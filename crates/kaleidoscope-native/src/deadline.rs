//! Deadlines of calls: one thread for all of them, which sleeps until the earliest that it knows of.
//!
//! A call writes its deadline into its level and goes on; it wakes the thread only if that sleeps for longer. Calls with
//! the same limit of time, one after the other, never do: the thread sleeps until the deadline of the first of them has
//! come, and finds then what is next. Calls without a deadline have nothing to do with it.
//!
//! None is overlooked: a call writes its deadline and then reads `wakes_at`; the thread sets that to "never", and then
//! reads the deadlines. One of the two sees what the other has written, because these four are in the order of all
//! threads.

use std::num::NonZeroU64;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::stop::{InterruptHandle, Level, levels};

/// In place of a time: it sleeps until it is woken.
const NEVER: u64 = u64::MAX;

/// The thread that watches.
#[derive(Debug)]
struct Watch {
    wakes_at: AtomicU64,
    /// Whether it is to look again at once.
    is_called: Mutex<bool>,
    call: Condvar,
}

/// None before the first deadline, and again in a forked child, which has no such thread. Never freed.
static WATCH: AtomicPtr<Watch> = AtomicPtr::new(null_mut());

/// Sees to it that the call that has `level` ends at `deadline`.
pub(crate) fn watch(
    level: &'static Level,
    evaluation: InterruptHandle,
    deadline: Instant,
) -> Result<(), Error> {
    let at = nanoseconds(deadline);
    if at <= nanoseconds(Instant::now()) {
        evaluation.expire();
        return Ok(());
    }
    level.set_deadline(NonZeroU64::new(at).unwrap_or(NonZeroU64::MIN));
    let watch = match known() {
        Some(watch) => watch,
        None => start()?,
    };
    if at < watch.wakes_at.load(Ordering::SeqCst) {
        watch.wake();
    }
    Ok(())
}

/// In a child process there is no thread that watches.
pub(crate) fn after_fork() {
    WATCH.store(null_mut(), Ordering::Relaxed);
}

/// On the clock of deadlines, which starts when it is first read.
fn nanoseconds(time: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    u64::try_from(time.saturating_duration_since(start).as_nanos()).unwrap_or(NEVER - 1).min(NEVER - 1)
}

fn known() -> Option<&'static Watch> {
    // SAFETY: only `start` puts a pointer there, and what it points to is never freed.
    unsafe { WATCH.load(Ordering::Acquire).as_ref() }
}

#[cold]
fn start() -> Result<&'static Watch, Error> {
    // A deadline is waiting to be seen.
    let watch = Watch { wakes_at: AtomicU64::new(NEVER), is_called: Mutex::new(true), call: Condvar::new() };
    let watch = Box::into_raw(Box::new(watch));
    if WATCH.compare_exchange(null_mut(), watch, Ordering::AcqRel, Ordering::Acquire).is_err() {
        // Another thread was quicker.
        // SAFETY: made above, and seen by nobody else.
        drop(unsafe { Box::from_raw(watch) });
        return Ok(known().expect("it is never taken away but in a child with one thread"));
    }
    // SAFETY: it is never freed from now on.
    let watch: &'static Watch = unsafe { &*watch };
    let name = "kaleidoscope-deadlines".to_owned();
    match thread::Builder::new().name(name).spawn(|| watch.run()) {
        Ok(_) => Ok(watch),
        Err(error) => {
            // Whoever has seen it meanwhile has no deadline; the system has run out of threads.
            WATCH.store(null_mut(), Ordering::Release);
            Err(Error::watch(&error))
        }
    }
}

impl Watch {
    #[cold]
    fn wake(&self) {
        *self.is_called.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.call.notify_one();
    }

    fn run(&self) -> ! {
        leave_signals_to_others();
        let mut is_called = self.is_called.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            *is_called = false;
            self.wakes_at.store(NEVER, Ordering::SeqCst);
            let next = expire(nanoseconds(Instant::now()));
            self.wakes_at.store(next, Ordering::SeqCst);
            // A call that has read "never" meanwhile waits for the lock, to say so.
            let sleep = Duration::from_nanos(next.saturating_sub(nanoseconds(Instant::now())));
            if next == NEVER {
                is_called = self
                    .call
                    .wait_while(is_called, |is_called| !*is_called)
                    .unwrap_or_else(PoisonError::into_inner);
            } else {
                is_called = self
                    .call
                    .wait_timeout_while(is_called, sleep, |is_called| !*is_called)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        }
    }
}

/// Stops the calls whose time is up, and returns the earliest deadline of the others.
fn expire(now: u64) -> u64 {
    let mut next = NEVER;
    for (deadline, evaluation) in levels().filter_map(Level::deadline) {
        if deadline > now {
            next = next.min(deadline);
        } else {
            evaluation.expire();
        }
    }
    next
}

/// Signals to the process are for the program's own threads.
fn leave_signals_to_others() {
    let mut all = std::mem::MaybeUninit::uninit();
    // SAFETY: fills a set of signals.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the set has been filled.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), null_mut()) };
}
