//! Stopping evaluations from elsewhere: requests and deadlines.
//!
//! Generated code is stopped by the machine's fence, which needs no help from the code. The reference evaluator asks. So
//! a request is made in both ways: it counts up a number that evaluations remember from their beginning, and it is
//! handed to the fence, which knows what is running.

use crate::failure::Failure;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Stops the evaluations of one engine from another thread. From [`crate::Engine::interrupter`].
///
/// ```
/// use kaleidoscope::{DiagnosticCode, Engine};
///
/// let engine = Engine::new()?;
/// let interrupter = engine.interrupter();
/// engine.register("press_the_button", move || {
///     interrupter.interrupt();
///     0.0
/// })?;
/// let outcome = engine.run("press_the_button(); 7;");
/// assert_eq!(outcome.diagnostics().next().map(|diagnostic| diagnostic.code), Some(DiagnosticCode::Interrupted));
/// assert_eq!(outcome.values().next(), Some(7.0));
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Interrupter {
    guarded: kaleidoscope_native::Interrupter,
    n_requests: Arc<AtomicU64>,
}

impl Interrupter {
    pub(crate) fn new() -> Self {
        Self { guarded: kaleidoscope_native::Interrupter::new(), n_requests: Arc::default() }
    }

    /// Stops every evaluation of the engine that is running now, on whatever thread: it ends with an error. One that begins
    /// later is not affected. While the compiler or a function of the host runs, the request waits for its return.
    pub fn interrupt(&self) {
        // In this order: an evaluation that the fence does not know yet looks at the number once it does.
        self.n_requests.fetch_add(1, Ordering::SeqCst);
        self.guarded.interrupt();
    }
}

/// What may stop one evaluation, or one that is spread over threads.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    interrupter: &'a Interrupter,
    n_requests_before: u64,
    deadline: Option<Instant>,
    /// How often the reference evaluator has asked: a look at the clock costs more than a step of it.
    n_asked: AtomicU32,
}

/// Why an evaluation is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Interrupted,
    DeadlinePassed,
}

impl Cause {
    /// What to tell of it; of where, nothing is known.
    pub(crate) fn into_failure(self) -> Failure {
        let inside = Vec::new();
        match self {
            Self::Interrupted => Failure::Interrupted { inside },
            Self::DeadlinePassed => Failure::TimedOut { inside },
        }
    }
}

const CLOCK_AFTER: u32 = 256;

impl<'a> Watch<'a> {
    /// The evaluation begins now.
    #[inline]
    pub(crate) fn begin(interrupter: &'a Interrupter, time_limit: Option<Duration>) -> Self {
        Self {
            n_requests_before: interrupter.n_requests.load(Ordering::SeqCst),
            interrupter,
            deadline: time_limit.and_then(|limit| Instant::now().checked_add(limit)),
            n_asked: AtomicU32::new(0),
        }
    }

    /// The same for the machine's fence, with a stack of so many bytes.
    pub(crate) fn limits(&self, stack_bytes: usize) -> kaleidoscope_native::Limits {
        let limits =
            kaleidoscope_native::Limits::new().stack_bytes(stack_bytes).interrupter(self.interrupter.guarded);
        self.deadline.map_or(limits, |deadline| limits.deadline(deadline))
    }

    /// Whether the evaluation was stopped by a request since it began.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupter.n_requests.load(Ordering::SeqCst) != self.n_requests_before
    }

    /// Whether the evaluation is to stop, for someone who asks often.
    pub(crate) fn ask(&self) -> Option<Cause> {
        if self.is_interrupted() {
            return Some(Cause::Interrupted);
        }
        // Where threads share the count, a look more or less is no matter.
        let n_asked = self.n_asked.load(Ordering::Relaxed) + 1;
        self.n_asked.store(n_asked % CLOCK_AFTER, Ordering::Relaxed);
        (n_asked >= CLOCK_AFTER && self.is_late()).then_some(Cause::DeadlinePassed)
    }

    /// The same for someone who asks seldom.
    pub(crate) fn look(&self) -> Option<Cause> {
        if self.is_interrupted() {
            return Some(Cause::Interrupted);
        }
        self.is_late().then_some(Cause::DeadlinePassed)
    }

    /// Why the evaluation was stopped, after it said that it was.
    pub(crate) fn cause(&self) -> Cause {
        if self.is_interrupted() { Cause::Interrupted } else { Cause::DeadlinePassed }
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
