//! Interrupts and deadlines: how an evaluation is stopped from outside.
//!
//! The machine layer stops generated code without any check in the code. The interpreter checks.
//! So an interrupt takes both ways: it increments a number that each evaluation compares with the
//! one at its start, and it goes to the machine layer, which knows the running guarded calls.

use crate::trap::Trap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Stops the evaluations of one engine from another thread. From [`crate::Jit::interrupter`].
#[derive(Clone, Debug)]
pub struct Interrupter {
    guarded: kaleidoscope_native::Interrupter,
    n_interrupts: Arc<AtomicU64>,
}

impl Interrupter {
    pub(crate) fn new() -> Self {
        Self { guarded: kaleidoscope_native::Interrupter::new(), n_interrupts: Arc::default() }
    }

    /// Stops every evaluation of the engine that is running now, on any thread: each ends with a
    /// trap. Evaluations that begin later are unaffected. While a compiler or a host function
    /// runs, the interrupt waits for its return.
    pub fn interrupt(&self) {
        // In this order: an evaluation that the machine layer does not know yet checks the number
        // once it does.
        self.n_interrupts.fetch_add(1, Ordering::SeqCst);
        self.guarded.interrupt();
    }
}

/// What one call may use.
///
/// ```
/// use kaleidoscope_jit::CallLimits;
/// use std::time::Duration;
///
/// assert_eq!(CallLimits::new().time(Duration::from_secs(1)), CallLimits { time: Some(Duration::from_secs(1)) });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallLimits {
    /// The longest time, compilation included; `None` for no limit.
    pub time: Option<Duration>,
}

impl CallLimits {
    /// No limits.
    pub const fn new() -> Self {
        Self { time: None }
    }

    /// With a time limit.
    #[must_use]
    pub const fn time(self, limit: Duration) -> Self {
        Self { time: Some(limit) }
    }
}

/// Tells whether one evaluation is to stop. Threads that share an evaluation share the watch.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    interrupter: &'a Interrupter,
    n_interrupts_before: u64,
    deadline: Option<Instant>,
    /// Checks since the last look at the clock, which costs more than an interpreter step.
    n_checks: AtomicU32,
}

/// Why an evaluation is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopCause {
    Interrupted,
    DeadlinePassed,
}

impl StopCause {
    /// The trap, without names of functions.
    pub(crate) fn into_trap(self) -> Trap {
        let inside = Vec::new();
        match self {
            Self::Interrupted => Trap::Interrupted { inside },
            Self::DeadlinePassed => Trap::DeadlinePassed { inside },
        }
    }
}

/// Interpreter checks between two looks at the clock.
const CHECKS_PER_CLOCK: u32 = 256;

impl<'a> Watch<'a> {
    /// The evaluation begins now.
    #[inline]
    pub(crate) fn begin(interrupter: &'a Interrupter, limits: CallLimits) -> Self {
        Self {
            n_interrupts_before: interrupter.n_interrupts.load(Ordering::SeqCst),
            interrupter,
            deadline: limits.time.and_then(|limit| Instant::now().checked_add(limit)),
            n_checks: AtomicU32::new(0),
        }
    }

    /// The same limits for the machine layer, with a guest stack of this size in bytes.
    pub(crate) fn native_limits(&self, stack_bytes: usize) -> kaleidoscope_native::Limits {
        let limits =
            kaleidoscope_native::Limits::new().stack_bytes(stack_bytes).interrupter(self.interrupter.guarded);
        self.deadline.map_or(limits, |deadline| limits.deadline(deadline))
    }

    /// Whether an interrupt arrived since the evaluation began.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupter.n_interrupts.load(Ordering::SeqCst) != self.n_interrupts_before
    }

    /// Whether the evaluation is to stop, for a caller that checks often.
    pub(crate) fn check_often(&self) -> Option<StopCause> {
        if self.is_interrupted() {
            return Some(StopCause::Interrupted);
        }
        // Where threads share the count, a look more or less makes no difference.
        let n_checks = self.n_checks.load(Ordering::Relaxed) + 1;
        self.n_checks.store(n_checks % CHECKS_PER_CLOCK, Ordering::Relaxed);
        (n_checks >= CHECKS_PER_CLOCK && self.is_late()).then_some(StopCause::DeadlinePassed)
    }

    /// Whether the evaluation is to stop, for a caller that checks rarely.
    pub(crate) fn check(&self) -> Option<StopCause> {
        if self.is_interrupted() {
            return Some(StopCause::Interrupted);
        }
        self.is_late().then_some(StopCause::DeadlinePassed)
    }

    /// Why the evaluation stopped, after it did.
    pub(crate) fn cause(&self) -> StopCause {
        if self.is_interrupted() { StopCause::Interrupted } else { StopCause::DeadlinePassed }
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
