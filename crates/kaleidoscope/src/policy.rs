//! When code is made again, better, and what it carries: pure decisions, from numbers to advice.
//!
//! The first code of a function counts how often it is entered and how often its loops turn. The numbers here say when a count is
//! worth a better body; the benchmark `thresholds` tries others. Making better code takes some milliseconds, in which quick code
//! makes about a million calls or turns: to begin much earlier costs more in short programs than it saves in long ones.

use crate::Mode;
use kaleidoscope_codegen::Limits;

/// How often code of 16 operations runs before better code is made. What has more operations takes longer to run, and is made
/// better after fewer times in proportion; what has fewer, after more.
///
/// ```
/// use kaleidoscope::{Engine, Thresholds};
///
/// // For programs that run for hours, and are to be at their best from the start.
/// let thresholds = Thresholds { calls: 100, ..Thresholds::default() };
/// let engine = Engine::builder().thresholds(thresholds).build()?;
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Calls of a function.
    pub calls: u32,
    /// Turns of a loop, over all calls. A function that calls itself in tail position turns like a loop.
    pub turns: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { calls: 100_000, turns: 300_000 }
    }
}

/// The operations for which [`Thresholds`] are given. Recursive Fibonacci has as many.
const USUAL_OPS: u64 = 16;

impl Thresholds {
    /// How often a function of so many operations is called before it is made better.
    pub(crate) fn calls(&self, n_ops: usize) -> i64 {
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

/// After so many turns a loop that waits for better code looks again whether it is there; a tail call too, for the first time.
/// It is also told; but counting is not atomic, and the word may be lost.
pub(crate) const TURNS_BETWEEN_LOOKS: u32 = 1_000;

/// How much hot code carries of what it calls.
pub(crate) const LIMITS: Limits = Limits { callee_ops: 100, unit_ops: 1_000, recursion: 3 };

/// What has run often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trip {
    /// A function was called, or called itself in tail position.
    Entry,
    /// A loop has turned. How often that was found before.
    Loop { n_before: u32 },
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
/// A loop that has turned often for the first time may be a short one in a function that is called often: the function
/// is made better. If the loop goes on turning in the old code, it is a long one, and must be left for better code while it runs.
pub(crate) fn advise(trip: Trip, is_callable: bool) -> Advice {
    match trip {
        Trip::Loop { n_before } if n_before > 0 || !is_callable => Advice::Loop,
        _ => Advice::Function,
    }
}

/// How much code for rows carries of what it calls. What it carries whole it can compute many rows of at once, so it pays to carry
/// large functions as well.
pub(crate) const ROW_LIMITS: Limits = Limits { callee_ops: 1_000, unit_ops: 1_000, recursion: 3 };

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
