//! Tier-up policy: pure decisions from counter values to compile jobs.
//!
//! Baseline code counts function entries and loop back edges. This module decides when a count
//! justifies an optimizing compile, what to compile (the hot function, or a caller that inlines
//! it), and how much to inline.
//!
//! An optimizing compile takes a few milliseconds. Baseline code executes about a million calls or
//! iterations in that time, so lower thresholds slow short programs down more than they speed long
//! ones up. The defaults come from the benchmark `thresholds` (benches/record/thresholds.csv); the
//! benchmark `envelope` shows their effect over program length.

use crate::mode::Mode;
use kaleidoscope_ir::Function;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{CallTarget, InliningBudget, Unit};
use std::time::{Duration, Instant};

/// How often code must run before it tiers up.
///
/// Thresholds hold for 16 IR operations and scale inversely with size: larger code takes longer per
/// execution, so it tiers up after fewer executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Calls of a function.
    pub calls: u32,
    /// Back edges of a loop, summed over all calls. A self tail call counts as a back edge.
    pub back_edges: u32,
    /// Tier-up delay: time from the first counter trip to the first compile job. Counters reset
    /// when the delay ends, so older code is not mistaken for hotter code. Starting LLVM costs
    /// several milliseconds, and one more at exit; programs that finish within the delay never pay
    /// it. `Duration::ZERO` compiles at the first trip.
    pub delay: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { calls: 100_000, back_edges: 600_000, delay: Duration::from_millis(8) }
    }
}

/// The feature `stress`: everything is hot at once.
#[cfg(feature = "stress")]
pub(crate) const STRESS_THRESHOLDS: Thresholds =
    Thresholds { calls: 0, back_edges: 0, delay: Duration::ZERO };

/// Self tail calls assumed per entry of a function that makes any. Tail calls of one activation are
/// reported only in large numbers, so entries stand for the short ones.
const TAIL_CALLS_PER_ENTRY: i64 = 4;

/// The size in operations that [`Thresholds`] are given for: that of recursive Fibonacci.
const REFERENCE_OPS: u64 = 16;

impl Thresholds {
    /// Entries of a function before it tiers up.
    pub(crate) fn entries(&self, function: &Function) -> i64 {
        let n_entries = scaled(self.calls, function.ops.len());
        if function.facts().has_tail_call { (n_entries / TAIL_CALLS_PER_ENTRY).max(1) } else { n_entries }
    }

    /// Back edges before a loop of this size tiers up.
    pub(crate) fn back_edges_of(&self, n_ops: usize) -> i64 {
        scaled(self.back_edges, n_ops)
    }
}

fn scaled(threshold: u32, n_ops: usize) -> i64 {
    let n_times = u64::from(threshold) * REFERENCE_OPS / (n_ops.max(1) as u64);
    n_times.max(1) as i64
}

/// Self tail calls of one activation between two reports, at most. A report takes as long as some
/// hundred tail calls.
pub(crate) const TAIL_CALLS_PER_REPORT: u32 = 10_000;

/// Back edges after which a loop that waits for optimized code checks whether it exists. Installing
/// the code also sets the counter; but counting is not atomic, and that store may be lost.
pub(crate) const BACK_EDGES_PER_CHECK: u32 = 1_000;

/// Back edges, or self tail calls, after which a loop that has lost its optimized code gets it
/// again.
const BACK_EDGES_TO_RECOVER: u32 = 1_000;

/// Time after which such a loop gets it again, if it has run fewer back edges: less than an
/// optimizing compile takes.
const TIME_TO_RECOVER: Duration = Duration::from_millis(1);

/// Recovery: when a loop that has lost its optimized code gets it again.
///
/// The loop was hot, so it need not prove that again. But most of these loops are nearly done, so
/// it first runs a thousand back edges, or for a millisecond if its iterations take long. The clock
/// is read at the back edges 1, 2, 4, 8 and so on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    n_back_edges: u32,
    /// The number of back edges at which the clock is read.
    next_check: u32,
    /// The number of back edges after which it is due without a clock.
    most: u32,
    /// The time of the first back edge.
    since: Option<Instant>,
}

impl Recovery {
    /// The recovery of a loop that tiers up after this many back edges.
    pub(crate) fn new(threshold: u32) -> Self {
        let most = threshold.min(BACK_EDGES_TO_RECOVER);
        Self { n_back_edges: 0, next_check: most.min(1), most, since: None }
    }

    /// Back edges until the next check.
    pub(crate) fn until_check(&self) -> u32 {
        self.next_check.saturating_sub(self.n_back_edges).max(1)
    }

    /// Counts back edges. Returns whether optimized code is due; then it stays due.
    pub(crate) fn count(&mut self, n_back_edges: u32, clock: impl FnOnce() -> Instant) -> bool {
        self.n_back_edges = self.n_back_edges.saturating_add(n_back_edges);
        if self.n_back_edges >= self.most {
            return true;
        }
        if self.n_back_edges < self.next_check {
            return false;
        }
        let now = clock();
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= TIME_TO_RECOVER {
            self.most = 0;
            return true;
        }
        self.next_check = self.n_back_edges.saturating_mul(2).min(self.most);
        false
    }
}

/// How much optimized code inlines.
pub(crate) const INLINING: InliningBudget = InliningBudget {
    callee_ops: 100,
    copied_ops: 1_000,
    recursion: 3,
    small_ops: 16,
    copied_small_ops: 10_000,
};

/// The most operations of a function that is compiled with less inlined if it is too large with
/// all of it. LLVM optimizes no larger function, whatever is inlined (`MOST_FOR_FULL` in
/// `crates/kaleidoscope-llvm/src/effort.rs`).
pub(crate) const MOST_OPS_TO_RETRY: usize = 20_000;

/// A counter that reached its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trip {
    /// The entry counter: calls, or self tail calls.
    Entry,
    /// A back-edge counter, which tripped `n_before` times before at `n_back_edges` each, while the
    /// function was entered `n_entries` times.
    Loop { n_before: u32, n_back_edges: i64, n_entries: i64 },
}

/// What to optimize.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// The function: its next call enters optimized code.
    Function,
    /// The loop: the running activation enters optimized code by OSR.
    Loop,
}

/// What to optimize after a trip, if anything. Calls may still reach the code, if it is callable:
/// not that of a top-level expression or of a version that was superseded.
///
/// A short loop in a function that is called often tiers up with the function. A loop that runs
/// long, or keeps running in baseline code, needs OSR. So does each loop that no call reaches.
pub(crate) fn advise(trip: Trip, is_callable: bool) -> Option<Advice> {
    match trip {
        Trip::Loop { n_before, n_back_edges, n_entries }
            if n_before > 0 || !is_callable || !explains(n_entries, n_back_edges) =>
        {
            Some(Advice::Loop)
        }
        Trip::Loop { .. } | Trip::Entry => is_callable.then_some(Advice::Function),
    }
}

/// Callee runs per caller run, up to which the caller explains the callee's count. More calls than
/// one activation makes without a loop, and fewer than a loop that is worth OSR makes.
const RUNS_PER_CALLER_RUN: i64 = 64;

/// Whether code that ran `n_caller` times explains that its callee ran `n_callee` times. Then the
/// caller is optimized, with the callee inlined: one compilation instead of many, and no calls.
pub(crate) fn explains(n_caller: i64, n_callee: i64) -> bool {
    n_caller > 0 && n_caller.saturating_mul(RUNS_PER_CALLER_RUN) >= n_callee
}

/// Whether optimized code of a caller can inline the function, as far as the function's size goes.
pub(crate) fn can_be_inlined(function: &Function) -> bool {
    function.ops.len() <= INLINING.callee_ops
}

/// Calls per counted event from which a function gets a counter of its own. Below it, the work
/// between two counted events is smaller than what makes the counting code hot.
pub(crate) const MAX_UNCOUNTED_CALLS: u32 = 64;

/// Callers considered for one function. A library's function may have tens of thousands.
pub(crate) const MAX_CALLERS: usize = 1_000;

/// How much a kernel inlines. The rows of a fully inlined kernel are vectorized, so large callees
/// pay.
pub(crate) const KERNEL_INLINING: InliningBudget = InliningBudget { callee_ops: 1_000, ..INLINING };

/// How much a column program inlines. A batch lowers it on its own thread, which takes at most half
/// a millisecond with this budget.
pub(crate) const COLUMN_INLINING: InliningBudget =
    InliningBudget { copied_small_ops: 1_000, ..KERNEL_INLINING };

/// Whether a kernel of the unit can be plain: a column program can be made of it, and it uses no
/// array.
pub(crate) fn is_plain(unit: &Unit) -> bool {
    fits_columns(unit) && unit.is_plain()
}

/// Whether a column program can be made of the unit: it ends soon, and has no more operations than
/// may be inlined, for each of its results.
pub(crate) fn fits_columns(unit: &Unit) -> bool {
    let most = KERNEL_INLINING.copied_ops.saturating_mul(unit.function.n_results as usize);
    unit.function.ops.len() <= most && unit.ends_soon()
}

/// The time that a plain kernel takes between two checks for interrupts and redefinitions.
const KERNEL_CALL: Duration = Duration::from_micros(500);

/// Rows that a plain kernel computes between two checks at most: enough to hide the cost of calling
/// it.
const MAX_ROWS_PER_KERNEL_CALL: usize = 8_192;

/// Estimated time of an operation of the processor, and of a function of C's maths library, in
/// nanoseconds. Most maths functions take less. `fmod` takes a step for each bit by which the
/// exponents of its operands differ.
const OPERATION_NANOS: usize = 1;
const MATHS_NANOS: usize = 100;
const FMOD_NANOS: usize = 2_000;

/// Rows that a plain kernel, or a column program, computes between two checks, from the estimated
/// time of a row.
pub(crate) fn rows_per_kernel_call(unit: &Unit) -> usize {
    let instances = unit.instances();
    let mut n_copies = vec![0_usize; instances.len()];
    n_copies[0] = 1;
    let mut nanos = 0_usize;
    for (idx, instance) in instances.iter().enumerate() {
        let facts = instance.function.facts();
        let mut maths_nanos = MATHS_NANOS * facts.counts.powers;
        for (_, callee, inlinee) in instance.calls() {
            match inlinee {
                Some(inlinee) => n_copies[inlinee] = n_copies[inlinee].saturating_add(n_copies[idx]),
                None => {
                    let is_fmod = matches!(
                        unit.call_target(callee),
                        CallTarget::Maths { function: MathsFunction::Fmod, .. }
                    );
                    maths_nanos += if is_fmod { FMOD_NANOS } else { MATHS_NANOS };
                }
            }
        }
        let once = maths_nanos + OPERATION_NANOS * instance.function.ops.len();
        nanos = nanos.saturating_add(n_copies[idx].saturating_mul(once));
    }
    (KERNEL_CALL.as_nanos() as usize / nanos.max(1)).clamp(1, MAX_ROWS_PER_KERNEL_CALL)
}

/// Rows computed by single calls between two checks for a kernel.
pub(crate) const ROWS_PER_KERNEL_CHECK: usize = 1_000;

/// Rows from which a batch runs in the column interpreter, with a program of this many steps. A
/// step takes as long to begin as some single calls.
pub(crate) fn min_rows_for_columns(n_steps: usize) -> usize {
    16 + 4 * n_steps
}

/// The bytes of columns and results from which their memory is fetched ahead of the column
/// interpreter: more than the caches of most processors hold. Below, that costs a tenth of the time
/// of simple arithmetic; above, it saves that and more.
pub(crate) const MIN_BYTES_TO_PREFETCH: usize = 32 << 20;

/// Rows of a function for each of its operations, from which a column program is made of it: to
/// lower an operation takes 0.2 µs, and a row takes 6 ns less by columns than by a single call.
const ROWS_PER_LOWERED_OP: u64 = 32;

/// Whether to make a column program of a function with this many operations, for a batch of
/// `n_rows`, given the rows requested so far, this batch included.
///
/// `are_calls_slow` says that single calls are interpreted, or wait for the optimizing compiler.
/// Then any batch that will run by columns is reason enough.
pub(crate) fn justifies_column_program(
    n_ops: usize,
    n_rows: usize,
    n_rows_so_far: u64,
    are_calls_slow: bool,
) -> bool {
    // About every other operation becomes a step; the others only move operands.
    n_rows >= min_rows_for_columns(n_ops / 2)
        && (are_calls_slow || n_rows_so_far >= ROWS_PER_LOWERED_OP.saturating_mul(n_ops as u64))
}

/// Rows that one thread takes at a time: enough to hide the cost of entering generated code.
#[cfg(feature = "rayon")]
pub(crate) const ROWS_PER_TASK: usize = 16_384;

/// Rows from which a batch uses several threads. Waking a thread takes as long as some ten thousand
/// rows of the simplest functions.
#[cfg(feature = "rayon")]
pub(crate) const MIN_ROWS_FOR_THREADS: usize = 4 * ROWS_PER_TASK;

/// Rows from which a function gets a kernel, in the modes that compile with the optimizing compiler
/// at the first call.
const MIN_ROWS_FOR_KERNEL: u64 = 1_000;

/// How to get a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KernelAdvice {
    /// Not now: the other ways suffice.
    NotNow,
    /// In the background, with one of the other ways meanwhile.
    InBackground,
    /// Now: the batch waits.
    Wait,
}

/// What to do about a function without a kernel, given the rows requested so far, this batch
/// included.
///
/// In tiered mode, rows count like calls. The modes that optimize at the first call get a kernel
/// for the first thousand rows. The batch waits for that kernel unless there is a column program:
/// single calls would wait for the optimizing compiler, too.
pub(crate) fn advise_kernel(
    mode: Mode,
    n_rows: u64,
    thresholds: Thresholds,
    has_column_program: bool,
) -> KernelAdvice {
    match mode {
        Mode::Lazy | Mode::Eager if n_rows >= MIN_ROWS_FOR_KERNEL => match has_column_program {
            true => KernelAdvice::InBackground,
            false => KernelAdvice::Wait,
        },
        Mode::Tiered if n_rows >= u64::from(thresholds.calls) => KernelAdvice::InBackground,
        _ => KernelAdvice::NotNow,
    }
}

#[cfg(test)]
mod tests;
