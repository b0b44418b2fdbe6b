//! Interrupts and deadlines: how an evaluation is stopped from outside.
//!
//! The machine layer stops generated code without any check in the code. The interpreter checks.
//! So an interrupt takes both ways: it increments a number that each evaluation compares with the
//! one at its start, and it goes to the machine layer, which knows the running guarded calls.
//!
//! Evaluations nest, when the host evaluates inside a host function or an observer. The limits of
//! an evaluation hold for everything inside it, whichever engine evaluates there. The machine layer
//! ends all calls inside a guarded call. An interpreted evaluation tells this module before the
//! host runs inside it ([`Watch::around`]), and the evaluations that begin there inherit from it.

use crate::trap::Trap;
use kaleidoscope_native::{self as native, InterruptCause};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Stops the evaluations of one engine from another thread. From [`crate::Jit::interrupter`].
#[derive(Clone, Debug)]
pub struct Interrupter {
    guarded: native::Interrupter,
    n_interrupts: Arc<AtomicU64>,
}

impl Interrupter {
    pub(crate) fn new() -> Self {
        Self { guarded: native::Interrupter::new(), n_interrupts: Arc::default() }
    }

    /// Stops every evaluation of the engine that is running now, on any thread, and what is
    /// evaluated inside it: each ends with a trap. Evaluations that begin later are unaffected.
    /// While a host function runs, the interrupt waits for its return. A compilation that an
    /// evaluation waits for goes on in the background if it has begun.
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
    /// The longest time, compilation and evaluations inside host functions included; `None` for no
    /// limit.
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

/// Tells whether one evaluation is to stop: because of its own limits, or of those of an evaluation
/// around it. Threads that share an evaluation share the watch.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    interrupter: &'a Interrupter,
    n_interrupts_before: u64,
    /// The earliest deadline of this evaluation and of `outer`.
    deadline: Option<Instant>,
    /// Interpreted evaluations around this one, outermost first. The machine layer knows those that
    /// run in code.
    outer: Vec<OuterWatch>,
    /// Whether nothing stops the evaluation.
    is_unstoppable: bool,
    /// Checks since the last look at the clock, which costs more than an interpreter step.
    n_checks: AtomicU32,
}

/// The limits of an interpreted evaluation, while the host runs inside it.
#[derive(Clone, Debug)]
struct OuterWatch {
    /// Different from that of all others on the thread.
    number: u64,
    interrupter: Interrupter,
    n_interrupts_before: u64,
    deadline: Option<Instant>,
}

thread_local! {
    /// The number of values in `OUTER`: a word that is read at each evaluation, without a look at
    /// the list.
    static N_OUTER: Cell<usize> = const { Cell::new(0) };
    /// The interpreted evaluations that wait for the host on this thread, in the order in which
    /// they began to wait. Where coroutines alternate, they may end in another order.
    static OUTER: RefCell<Vec<OuterWatch>> = const { RefCell::new(Vec::new()) };
    /// The number of the next outer watch.
    static NEXT_NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// Why an evaluation is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopCause {
    Interrupted,
    DeadlinePassed,
}

impl StopCause {
    /// The trap, with the names of the functions that were running.
    pub(crate) fn into_trap(self, inside: Vec<Arc<str>>) -> Trap {
        match self {
            Self::Interrupted => Trap::Interrupted { inside },
            Self::DeadlinePassed => Trap::DeadlinePassed { inside },
        }
    }
}

impl From<InterruptCause> for StopCause {
    fn from(cause: InterruptCause) -> Self {
        match cause {
            InterruptCause::Interrupter => Self::Interrupted,
            InterruptCause::Deadline => Self::DeadlinePassed,
        }
    }
}

impl From<StopCause> for InterruptCause {
    fn from(cause: StopCause) -> Self {
        match cause {
            StopCause::Interrupted => Self::Interrupter,
            StopCause::DeadlinePassed => Self::Deadline,
        }
    }
}

/// How often a thread that waits for a compilation checks whether it is to stop. Short for a
/// person, and long enough to cost nothing: the end of the compilation wakes the thread at once.
pub(crate) const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// Interpreter checks between two looks at the clock.
const CHECKS_PER_CLOCK: u32 = 256;

/// Whether the evaluation that called this host function is to stop: it was interrupted, or its
/// time is up, or that of an evaluation around it.
///
/// For host functions that take long, and for output that waits. One that finds `true` may return
/// any value, or an error: the evaluation ends with its own trap.
pub fn is_stop_pending() -> bool {
    native::pending_interrupt().is_some() || outer_cause().is_some()
}

/// Why an interpreted evaluation that waits for the host on this thread is to stop.
fn outer_cause() -> Option<StopCause> {
    let check = |outer: &RefCell<Vec<OuterWatch>>| outer.borrow().iter().find_map(OuterWatch::check);
    if N_OUTER.get() == 0 { None } else { OUTER.try_with(check).ok().flatten() }
}

/// Whether the guarded call that a host function returns to is to end.
///
/// The host function may know that before the machine layer does, from
/// [`is_stop_pending`]: an interrupt and a deadline reach the interpreted evaluations around the
/// call at once, and the call a moment later. Then this tells the call.
pub(crate) fn is_call_ending() -> bool {
    if native::pending_interrupt().is_some() {
        return true;
    }
    let Some(cause) = outer_cause() else { return false };
    native::end_innermost(cause.into());
    native::pending_interrupt().is_some()
}

/// Whether an evaluation waits for the host on this thread.
#[cfg(any(feature = "rayon", test))]
pub(crate) fn is_in_evaluation() -> bool {
    N_OUTER.get() > 0 || native::in_guarded_call()
}

impl OuterWatch {
    fn is_interrupted(&self) -> bool {
        self.interrupter.n_interrupts.load(Ordering::SeqCst) != self.n_interrupts_before
    }

    fn check(&self) -> Option<StopCause> {
        if self.is_interrupted() {
            return Some(StopCause::Interrupted);
        }
        let is_late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        is_late.then_some(StopCause::DeadlinePassed)
    }
}

/// Removes the outer watch of this number when the host returns or panics.
struct OuterGuard(u64);

impl Drop for OuterGuard {
    fn drop(&mut self) {
        N_OUTER.set(N_OUTER.get() - 1);
        OUTER.with(|outer| {
            let mut outer = outer.borrow_mut();
            let idx = outer.iter().rposition(|outer| outer.number == self.0);
            idx.map(|idx| outer.remove(idx))
        });
    }
}

impl<'a> Watch<'a> {
    /// The evaluation begins now.
    #[inline]
    pub(crate) fn begin(interrupter: &'a Interrupter, limits: CallLimits) -> Self {
        let watch = Self {
            n_interrupts_before: interrupter.n_interrupts.load(Ordering::SeqCst),
            interrupter,
            deadline: limits.time.and_then(|limit| Instant::now().checked_add(limit)),
            outer: Vec::new(),
            is_unstoppable: false,
            n_checks: AtomicU32::new(0),
        };
        if N_OUTER.get() == 0 { watch } else { watch.inside_outer() }
    }

    /// The watch of an evaluation that nothing stops, with an interrupter of its own.
    pub(crate) fn unstoppable(interrupter: &'a Interrupter) -> Self {
        Self {
            interrupter,
            n_interrupts_before: 0,
            deadline: None,
            outer: Vec::new(),
            is_unstoppable: true,
            n_checks: AtomicU32::new(0),
        }
    }

    #[cold]
    fn inside_outer(mut self) -> Self {
        self.outer = OUTER.try_with(|outer| outer.borrow().clone()).unwrap_or_default();
        let deadlines = self.outer.iter().filter_map(|outer| outer.deadline);
        self.deadline = deadlines.chain(self.deadline).min();
        self
    }

    /// Runs the host inside this evaluation: what the host evaluates stops when this evaluation is
    /// to stop.
    pub(crate) fn around<R>(&self, host: impl FnOnce() -> R) -> R {
        let _guard = self.begin_around();
        host()
    }

    fn begin_around(&self) -> Option<OuterGuard> {
        let number = NEXT_NUMBER.get();
        NEXT_NUMBER.set(number + 1);
        let outer = OuterWatch {
            number,
            interrupter: self.interrupter.clone(),
            n_interrupts_before: self.n_interrupts_before,
            deadline: self.deadline,
        };
        let added = OUTER.try_with(|all| all.borrow_mut().push(outer));
        // A thread that is ending has lost the list; then the host's evaluations have their own
        // limits only.
        added.ok().map(|()| {
            N_OUTER.set(N_OUTER.get() + 1);
            OuterGuard(number)
        })
    }

    /// Enters the machine layer: what runs there stops when this evaluation, or an interpreted one
    /// around it, is to stop. The deadline of this watch is not registered here.
    pub(crate) fn enter_native<R>(
        &self,
        enter: impl FnOnce() -> Result<R, native::Trap>,
    ) -> Result<R, native::Trap> {
        if self.outer.is_empty() {
            return enter();
        }
        let mut enter = Some(enter);
        let mut result = None;
        enter_under(&self.outer, &mut || {
            result = enter.take().map(|enter| enter());
        })?;
        result.expect("it is entered if there is no error")
    }

    /// The limits for the machine layer, with those of all evaluations.
    pub(crate) fn native_limits(&self, limits: native::Limits) -> native::Limits {
        let limits = limits.interrupter(self.interrupter.guarded);
        self.deadline.map_or(limits, |deadline| limits.deadline(deadline))
    }

    /// Whether an interrupt arrived since the evaluation began.
    #[inline]
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
        if n_checks >= CHECKS_PER_CLOCK { self.check() } else { None }
    }

    /// Whether the evaluation is to stop, for a caller that checks rarely. After it has stopped:
    /// why.
    #[cold]
    pub(crate) fn check(&self) -> Option<StopCause> {
        if self.is_interrupted() {
            return Some(StopCause::Interrupted);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Some(StopCause::DeadlinePassed);
        }
        if self.is_unstoppable {
            return None;
        }
        let interrupted = self.outer.iter().any(OuterWatch::is_interrupted);
        interrupted
            .then_some(StopCause::Interrupted)
            .or_else(|| native::pending_interrupt().map(StopCause::from))
    }
}

/// Enters the machine layer under the interrupters of interpreted evaluations. Their deadlines are
/// part of the inner evaluation's.
fn enter_under(outer: &[OuterWatch], enter: &mut dyn FnMut()) -> Result<(), native::Trap> {
    let Some((outermost, inner)) = outer.split_first() else {
        enter();
        return Ok(());
    };
    let limits = native::Limits::new().interrupter(outermost.interrupter.guarded);
    native::under(&limits, |handle| {
        // Interrupts from here on find the level; an earlier one is handed to it now.
        if outermost.is_interrupted() {
            handle.interrupt();
        }
        enter_under(inner, enter)
    })?
}

#[cfg(test)]
mod tests;
