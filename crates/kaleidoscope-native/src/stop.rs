//! Requests to stop: what is to be stopped, and who may ask for it.
//!
//! Each call, or scope of calls, has a *level* of its thread and a serial number on it. A request is aimed at one serial
//! number of one level, so that one that comes late hits nothing. All here is atomic words that are never freed, and one
//! system call: it may be used from any thread and from a signal handler.
//!
//! Promises:
//! 1. `running` of a level is the serial number of the call that has it, or 0; only the level's thread writes it, and no
//!    serial number comes twice.
//! 2. Of a thread's levels, those in use are the first ones: an inner call has a later level than an outer one.
//! 3. `interrupted` and `expired` only grow, and never beyond a serial number that `running` has been.
//! 4. Seats and levels are never freed; a seat belongs to one thread at a time, which has no call running when it takes
//!    or leaves it.

use std::num::NonZeroU64;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering};

use crate::signals;

/// Stops calls from elsewhere: from another thread, or from a signal handler.
///
/// An interrupter is a name: copies stop the same calls, those made under [`Limits`](crate::Limits) that carry it, on
/// whatever thread. A call that is stopped ends with [`Trap::Interrupted`](crate::Trap::Interrupted): at once if it is
/// in generated code, otherwise when the host function, the maths function or the compiler it is waiting for comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interrupter(NonZeroU64);

impl Interrupter {
    /// One that no call has yet.
    #[expect(
        clippy::new_without_default,
        reason = "each one is another, and a default would be the same one"
    )]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(NonZeroU64::new(number).expect("the numbers last for centuries"))
    }

    /// Stops all calls under this interrupter that are running now, and returns how many there were. A call that begins
    /// later is not affected.
    ///
    /// Async-signal-safe: a handler of a signal may call it.
    #[expect(clippy::must_use_candidate, reason = "stopping is what it is for")]
    pub fn interrupt(&self) -> usize {
        let mut n_stopped = 0;
        for level in levels() {
            n_stopped +=
                usize::from(level.evaluation_under(*self).is_some_and(|running| running.interrupt()));
        }
        n_stopped
    }
}

/// One call, or one scope of calls, as something that can be stopped. See [`GuardedScope::evaluation`](crate::GuardedScope::evaluation).
#[derive(Clone, Copy, Debug)]
pub struct InterruptHandle {
    level: &'static Level,
    serial: u64,
}

impl InterruptHandle {
    /// Stops it, if it is still running; says whether it was. What comes after it on the same thread is never affected.
    ///
    /// A scope that has been stopped stays so: its later calls end with the same trap.
    ///
    /// Async-signal-safe: a handler of a signal may call it.
    #[expect(clippy::must_use_candidate, reason = "stopping is what it is for")]
    pub fn interrupt(&self) -> bool {
        self.stop(&self.level.interrupted)
    }

    /// Stops it because its time is up.
    pub(crate) fn expire(&self) -> bool {
        self.stop(&self.level.expired)
    }

    fn stop(&self, request: &AtomicU64) -> bool {
        let earlier = request.fetch_max(self.serial, Ordering::SeqCst);
        let is_running = self.level.running.load(Ordering::SeqCst) == self.serial;
        if is_running && earlier < self.serial {
            signals::notify(self.level.seat.thread_id.load(Ordering::Relaxed));
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

/// Why a call is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Interrupted,
    DeadlinePassed,
}

/// What other threads know of a thread that has calls.
#[derive(Debug)]
pub(crate) struct Seat {
    taken: AtomicBool,
    thread_id: AtomicI32,
    first: OnceLock<&'static Level>,
    next: AtomicPtr<Seat>,
}

/// One depth of nesting of a thread's calls.
#[derive(Debug)]
pub(crate) struct Level {
    seat: &'static Seat,
    running: AtomicU64,
    serial: AtomicU64,
    /// Of the running call; 0 if it has none.
    interrupter: AtomicU64,
    /// Of the running call, on the clock of [`deadline`](crate::deadline); 0 if it has none.
    deadline: AtomicU64,
    interrupted: AtomicU64,
    expired: AtomicU64,
    next: OnceLock<&'static Level>,
}

/// The seat taken last of all new ones; the others follow by `next`.
static SEATS: AtomicPtr<Seat> = AtomicPtr::new(null_mut());

fn seats() -> impl Iterator<Item = &'static Seat> {
    std::iter::successors(seat_at(&SEATS), |seat| seat_at(&seat.next))
}

/// The seat that `SEATS` or `next` points to.
fn seat_at(pointer: &AtomicPtr<Seat>) -> Option<&'static Seat> {
    // SAFETY: only `Seat::make` puts a pointer there, and a seat is never freed (promise 4).
    unsafe { pointer.load(Ordering::Acquire).as_ref() }
}

/// The levels that are in use.
pub(crate) fn levels() -> Levels {
    Levels { level: None, seat: seat_at(&SEATS) }
}

/// Levels that are in use: those of one seat from one on, then those of other seats. A loop and no chain of adapters, which
/// without optimisation takes a frame for each: a handler may have a stack of 8 KiB, half of it taken by the kernel.
#[derive(Debug)]
pub(crate) struct Levels {
    level: Option<&'static Level>,
    /// The seat whose levels come next.
    seat: Option<&'static Seat>,
}

impl Iterator for Levels {
    type Item = &'static Level;

    fn next(&mut self) -> Option<&'static Level> {
        loop {
            // Promise 2: the first that is not in use is the end of those of its seat.
            if let Some(level) = self.level.filter(|level| level.running.load(Ordering::Acquire) != 0) {
                self.level = level.next.get().copied();
                return Some(level);
            }
            let seat = self.seat?;
            self.seat = seat_at(&seat.next);
            self.level = seat.first.get().copied();
        }
    }
}

impl Seat {
    /// A seat for this thread, until it is left.
    pub(crate) fn take() -> &'static Self {
        let free = seats().find(|seat| {
            seat.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
        });
        let seat = free.unwrap_or_else(Self::make);
        seat.sign();
        seat
    }

    fn make() -> &'static Self {
        let seat = Box::leak(Box::new(Self {
            taken: AtomicBool::new(true),
            thread_id: AtomicI32::new(0),
            first: OnceLock::new(),
            next: AtomicPtr::new(SEATS.load(Ordering::Relaxed)),
        }));
        let mut first = *seat.next.get_mut();
        while let Err(other) = SEATS.compare_exchange_weak(first, seat, Ordering::AcqRel, Ordering::Acquire) {
            seat.next.store(other, Ordering::Relaxed);
            first = other;
        }
        seat
    }

    /// Writes down which thread has the seat.
    fn sign(&self) {
        self.thread_id.store(signals::thread_id(), Ordering::Relaxed);
    }

    /// This thread needs it no more.
    pub(crate) fn leave(&self) {
        self.thread_id.store(0, Ordering::Relaxed);
        self.taken.store(false, Ordering::Release);
    }

    /// In a child process, which has only the thread that forked: frees the seats of all others. `own` is the seat of
    /// this thread, if it has one.
    pub(crate) fn after_fork(own: Option<&Self>) {
        for seat in seats() {
            if own.is_some_and(|own| std::ptr::eq(own, seat)) {
                seat.sign();
            } else {
                for level in seat.running() {
                    level.running.store(0, Ordering::Relaxed);
                }
                seat.leave();
            }
        }
    }

    /// The first level, for a call that is not inside another.
    pub(crate) fn first(&'static self) -> &'static Level {
        self.first.get_or_init(|| Level::make(self))
    }

    /// The levels that are in use, the outermost first (promise 2).
    fn running(&self) -> Levels {
        Levels { level: self.first.get().copied(), seat: None }
    }

    /// Why the innermost call of this thread has to stop, if it has to: because it, or one around it, is asked to.
    pub(crate) fn stopped(&self) -> Option<Cause> {
        self.running().find_map(Level::stopped)
    }
}

impl Level {
    fn make(seat: &'static Seat) -> &'static Self {
        Box::leak(Box::new(Self {
            seat,
            running: AtomicU64::new(0),
            serial: AtomicU64::new(0),
            interrupter: AtomicU64::new(0),
            deadline: AtomicU64::new(0),
            interrupted: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            next: OnceLock::new(),
        }))
    }

    /// The level for a call inside the one that has this.
    pub(crate) fn inner(&self) -> &'static Self {
        self.next.get_or_init(|| Self::make(self.seat))
    }

    /// A call takes the level.
    pub(crate) fn begin(&'static self, interrupter: Option<Interrupter>) -> InterruptHandle {
        let serial = self.serial.load(Ordering::Relaxed) + 1;
        self.serial.store(serial, Ordering::Relaxed);
        self.interrupter.store(interrupter.map_or(0, |interrupter| interrupter.0.get()), Ordering::Relaxed);
        self.deadline.store(0, Ordering::Relaxed);
        // Release: whoever sees the number sees the two words that belong to it.
        self.running.store(serial, Ordering::Release);
        InterruptHandle { level: self, serial }
    }

    /// The call that has the level has ended.
    pub(crate) fn end(&self) {
        self.running.store(0, Ordering::Release);
    }

    /// The running call is to end at this time.
    pub(crate) fn set_deadline(&self, deadline: NonZeroU64) {
        // In the order of all threads, see `deadline`.
        self.deadline.store(deadline.get(), Ordering::SeqCst);
    }

    /// The deadline of the running call, and the call.
    pub(crate) fn deadline(&'static self) -> Option<(u64, InterruptHandle)> {
        let (deadline, evaluation) = self.consistent(&self.deadline)?;
        (deadline != 0).then_some((deadline, evaluation))
    }

    /// The running call, if it is under this interrupter.
    fn evaluation_under(&'static self, interrupter: Interrupter) -> Option<InterruptHandle> {
        let (number, evaluation) = self.consistent(&self.interrupter)?;
        (number == interrupter.0.get()).then_some(evaluation)
    }

    /// What a word is for the running call. When the call is just changing, it may be the word of the next one with the
    /// call that has ended, which harms nobody, but never the other way round.
    fn consistent(&'static self, word: &AtomicU64) -> Option<(u64, InterruptHandle)> {
        let serial = self.running.load(Ordering::SeqCst);
        let value = word.load(Ordering::SeqCst);
        (serial != 0).then_some((value, InterruptHandle { level: self, serial }))
    }

    fn stopped(&self) -> Option<Cause> {
        let running = self.running.load(Ordering::SeqCst);
        if self.interrupted.load(Ordering::SeqCst) >= running {
            Some(Cause::Interrupted)
        } else if self.expired.load(Ordering::SeqCst) >= running {
            Some(Cause::DeadlinePassed)
        } else {
            None
        }
    }
}
