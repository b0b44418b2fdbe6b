//! When code is made again, better, and what it carries: pure decisions, from numbers to advice.
//!
//! Quick code counts how often loops turn, and how often functions are entered whose callers do not count. The numbers here say when a
//! count is worth a better body; the benchmark `thresholds` tries others, and `envelope` shows what they come to. Making better code
//! takes some milliseconds, in which quick code makes about a million calls or turns: to begin much earlier costs more in short programs
//! than it saves in long ones.

use crate::Mode;
use kaleidoscope_ir::compile::InliningBudget;
use kaleidoscope_ir::{Function, Op};
use std::time::Duration;

/// How often code of 16 operations runs before better code is made. What has more operations takes longer to run, and is made
/// better after fewer times in proportion; what has fewer, after more.
///
/// ```
/// use kaleidoscope::{Engine, Thresholds};
/// use std::time::Duration;
///
/// // For programs that run for hours, and are to be at their best from the start.
/// let thresholds = Thresholds { calls: 100, delay: Duration::ZERO, ..Thresholds::default() };
/// let engine = Engine::builder().thresholds(thresholds).build()?;
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Calls of a function.
    pub calls: u32,
    /// Turns of a loop, over all calls. A function that calls itself in tail position turns like a loop.
    pub turns: u32,
    /// How long after something has first run so often all of it is counted anew, and better code made of what then runs as often.
    /// Loading and starting the optimiser takes some milliseconds beside the program, and one more when the process ends: a program
    /// that is over by then does without. Zero: better code is made from the first on.
    pub delay: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { calls: 100_000, turns: 600_000, delay: Duration::from_millis(8) }
    }
}

/// So many tail calls are supposed to follow each entry of a function that makes any: what single activations count is known only
/// when it is much.
const TAIL_CALLS_OF_AN_ENTRY: i64 = 4;

/// The operations for which [`Thresholds`] are given. Recursive Fibonacci has as many.
const USUAL_OPS: u64 = 16;

impl Thresholds {
    /// How often a function is entered before it is made better. One that calls itself in tail position does more each time.
    pub(crate) fn entries(&self, function: &Function) -> i64 {
        let n_entries = self.calls(function.ops.len());
        let has_tail_call = function.ops.iter().any(|op| matches!(op, Op::TailCall));
        if has_tail_call { (n_entries / TAIL_CALLS_OF_AN_ENTRY).max(1) } else { n_entries }
    }

    /// How often a function of so many operations is called before it is made better.
    fn calls(&self, n_ops: usize) -> i64 {
        in_proportion(self.calls, n_ops)
    }

    /// How often a loop of so many operations turns before it is made better.
    pub(crate) fn turns(&self, n_ops: usize) -> i64 {
        in_proportion(self.turns, n_ops)
    }
}

fn in_proportion(threshold: u32, n_ops: usize) -> i64 {
    let n_times = u64::from(threshold) * USUAL_OPS / (n_ops.max(1) as u64);
    n_times.max(1) as i64
}

/// So many tail calls of an activation, or as many as make its function hot, are counted until they are reported, and it is looked
/// whether there is better code. A report takes as long as some hundred.
pub(crate) const TAIL_CALLS_AT_ONCE: u32 = 10_000;

/// After so many turns a loop that waits for better code looks again whether it is there.
/// It is also told; but counting is not atomic, and the word may be lost.
pub(crate) const TURNS_BETWEEN_LOOKS: u32 = 1_000;

/// How much hot code carries of what it calls.
pub(crate) const LIMITS: InliningBudget = InliningBudget { callee_ops: 100, unit_ops: 1_000, recursion: 3 };

/// What has run often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trip {
    /// A function was called, or called itself in tail position.
    Entry,
    /// A loop has turned `n_turns` times, as was found `n_before` times before, while its function was entered `n_entries` times.
    Loop { n_before: u32, n_turns: i64, n_entries: i64 },
}

/// What should be made better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// The function: its next call goes to better code.
    Function,
    /// The loop, while it runs.
    Loop,
}

/// What to do when a count has run out, in code of a function that can be called again, or of an expression that cannot.
///
/// A loop that turns a few times in a function that is called often is made better with the function. If it turns long, or goes on
/// turning in the old code, it must be left for better code while it runs.
pub(crate) fn advise(trip: Trip, is_callable: bool) -> Advice {
    match trip {
        Trip::Loop { n_before, n_turns, n_entries }
            if n_before > 0 || !is_callable || !makes_hot(n_entries, n_turns) =>
        {
            Advice::Loop
        }
        _ => Advice::Function,
    }
}

/// A caller that runs once for so many runs of what it calls, or more often, is what makes that hot. So many calls are more than a
/// function makes of another by itself, and less than a loop in it that is worth better code of its own.
const RUNS_FOR_A_CALLER: i64 = 64;

/// Whether code that has run `n_caller` times makes hot what it calls, which has run `n_callee` times. Then the caller is
/// made better in place of it, and carries it: one body instead of many, and the calls are gone. A program of small functions has its
/// better code after a fraction of the work.
pub(crate) fn makes_hot(n_caller: i64, n_callee: i64) -> bool {
    n_caller > 0 && n_caller.saturating_mul(RUNS_FOR_A_CALLER) >= n_callee
}

/// Whether better code of a caller carries the function, unless it carries too much already.
pub(crate) fn can_be_carried(function: &Function) -> bool {
    function.ops.len() <= LIMITS.callee_ops
}

/// Code that is called so often for once that code counts must count itself: then what is between two that count takes less than
/// what makes the outer one hot.
pub(crate) const MOST_UNCOUNTED: u32 = 64;

/// Of so many callers one is chosen: a library's function may have them by the ten thousands.
pub(crate) const MOST_CALLERS: usize = 1_000;

/// How much code for rows carries of what it calls. What it carries whole it can compute many rows of at once, so it pays to carry
/// large functions as well.
pub(crate) const ROW_LIMITS: InliningBudget =
    InliningBudget { callee_ops: 1_000, unit_ops: 1_000, recursion: 3 };

/// Rows that code makes which nothing can stop, before somebody looks whether it is to stop: less than a millisecond for most
/// functions, and some milliseconds for those that call the slowest maths functions.
pub(crate) const ROWS_BETWEEN_STOPS: usize = 8_192;

/// Rows that are made by calls, before somebody looks whether there is code for rows by now.
pub(crate) const ROWS_BETWEEN_LOOKS: usize = 1_000;

/// Rows that go to a thread at a time: enough that the crossing to generated code does not count.
#[cfg(feature = "rayon")]
pub(crate) const ROWS_OF_A_PART: usize = 16_384;

/// From so many rows on they are spread over threads: waking one takes as long as some ten thousand rows of the simplest functions.
#[cfg(feature = "rayon")]
pub(crate) const ROWS_TO_SPREAD: usize = 4 * ROWS_OF_A_PART;

/// From so many rows on it pays to wait for code, where good code is made for a first call.
const ROWS_TO_WAIT_FOR: u64 = 1_000;

/// How to come by code for rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowsAdvice {
    /// Not now: calls will do.
    Calls,
    /// In the background, and calls meanwhile.
    InBackground,
    /// At once: the rows wait for it.
    AtOnce,
}

/// What to do about rows of a function that has no code for rows, when so many have been asked for by now, the present ones included.
///
/// Where good code is made for a first call, so it is for a first thousand of rows. In tiered mode rows count as calls do: what was
/// called often is made better.
pub(crate) fn advise_rows(mode: Mode, n_rows: u64, thresholds: Thresholds) -> RowsAdvice {
    match mode {
        Mode::Lazy | Mode::Eager if n_rows >= ROWS_TO_WAIT_FOR => RowsAdvice::AtOnce,
        Mode::Tiered if n_rows >= u64::from(thresholds.calls) => RowsAdvice::InBackground,
        _ => RowsAdvice::Calls,
    }
}

#[cfg(test)]
mod tests;
