//! How much effort Cranelift spends on a function, so that no text makes it compute for long.
//!
//! The time of its better register allocator grows with the square of the values that live at once
//! and of the depth of loops. The time of the quick one grows nearly in proportion to the
//! function, and to the number of blocks times the values that live through them. The weights
//! follow the latter: about a microsecond each, measured on two cores of a busy server, for long
//! chains of each operation, calls with few and many arguments, values kept across calls, `if`s
//! and loops in sequence and in depth, and as many variables assigned in them as they are deep,
//! with counters and without.

#[cfg(test)]
mod tests;

use kaleidoscope_ir::{Function, OpCounts};

/// How a function can be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// With good use of registers.
    Full,
    /// In little more than half the time, with most values in memory.
    Quick,
}

/// The weight up to which a function is compiled in full. That takes less than 0.1 s for all the
/// shapes above, and a few milliseconds for most.
const MOST_FOR_FULL: usize = 8_000;

/// The weight up to which a function is compiled at all.
const MOST_FOR_QUICK: usize = 2_000_000;

/// The parameters that a block of Cranelift can have, and so a function.
const MAX_PARAMS: u32 = u16::MAX as u32;

/// How a function can be compiled. `None` if compiling it would take more than about two seconds,
/// or if it has more parameters than Cranelift can compile.
/// Takes time proportional to the function's size.
///
/// `n_checks` operations branch to see whether a maths function was replaced.
pub(crate) fn effort(function: &Function, counts: bool, n_checks: usize) -> Option<Effort> {
    let costs = if counts { COUNTING } else { PLAIN };
    if function.ops.len() > MOST_FOR_QUICK || function.n_params > MAX_PARAMS {
        return None;
    }
    let facts = function.facts();
    let n_values = function.locals.len() + function.max_stack as usize;
    let weight = costs.of_all(&facts.counts)
        + facts.n_phis * costs.phi
        + costs.branch * n_checks
        // A bit for each value that lives through a block: a dozen take as long as anything else.
        + n_values * (facts.counts.ifs + facts.counts.loops + n_checks) / 12;
    if weight <= MOST_FOR_FULL {
        Some(Effort::Full)
    } else if weight <= MOST_FOR_QUICK {
        Some(Effort::Quick)
    } else {
        None
    }
}

/// The weights of a function's parts.
struct Costs {
    phi: usize,
    branch: usize,
    back_edge: usize,
    tail_call: usize,
}

const PLAIN: Costs = Costs { phi: 3, branch: 12, back_edge: 25, tail_call: 10 };

/// A counted loop has two blocks and a call more, a tail call a block and a jump unless all
/// parameters are in registers.
const COUNTING: Costs = Costs { phi: 12, branch: 12, back_edge: 120, tail_call: 30 };

impl Costs {
    fn of_all(&self, counts: &OpCounts) -> usize {
        10 * (counts.calls + counts.powers)
            + self.tail_call * counts.tail_calls
            + self.branch * counts.ifs
            // The `Loop` itself, and its back edge.
            + (2 + self.back_edge) * counts.loops
            + 4 * counts.comparisons
            + 2 * (counts.host_accesses + counts.others)
    }
}
