//! How much effort LLVM spends on a unit, so that no text makes it compute for minutes.
//!
//! The time of its passes and of its instruction selection grows faster than the function: with
//! the length of a block, the depth of loops, the number of variables that live across calls or
//! meet in phis. Exits of code that can be invalidated count with all values that they write.
//! Without optimization, code generation grows nearly in proportion, up to a size.
//! Within the limits below, a full compile takes less than 0.5 s and a quick one less than 2 s,
//! measured on two cores of a busy server, for long chains of each operation, calls with few and
//! many arguments, values kept across calls, `if`s and loops in sequence and in depth, and as many
//! variables assigned in them as they are deep.

mod exits;
#[cfg(test)]
mod tests;

use kaleidoscope_ir::Function;
use kaleidoscope_ir::compile::Unit;

use crate::lower::invalidation;
use exits::ExitCount;

/// How a unit can be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effort {
    /// At any [`Optimization`](kaleidoscope_ir::compile::Optimization).
    Full,
    /// Only without optimization, by passes and by the code generator.
    Quick,
    /// Not at all.
    Refuse,
}

/// The weight of a call.
const CALL_WEIGHT: usize = 4;

/// The weight up to which a unit is compiled at any level.
const MOST_FOR_FULL: usize = 12_000;

/// The weight up to which a unit is compiled at all.
const MOST_FOR_QUICK: usize = 100_000;

/// The depth of loops up to which a unit is compiled at any level: 200 take 0.15 s, 1,000 take 4 to
/// 7 s.
const DEEPEST_FOR_FULL: usize = 200;

/// How a unit can be compiled, all copies of all instances counted. Takes time proportional to the
/// unit's size.
///
/// LLVM needs less than 1 MiB of stack for every unit that is not refused. A thread with 8 MiB is
/// safe.
pub fn effort(unit: &Unit) -> Effort {
    let instances = unit.instances();
    // For each instance, the number of copies, and the deepest nesting of loops around one.
    let mut copies = vec![(0_usize, 0_usize); instances.len()];
    copies[0] = (1, 0);
    let mut all = Load { weight: 0, loop_depth: 0 };
    for (idx, instance) in instances.iter().enumerate() {
        let (n_copies, depth) = copies[idx];
        if n_copies == 0 {
            continue;
        }
        let Some(load) = Load::of(instance.function) else { return Effort::Refuse };
        // Of an inlined call nothing is left.
        let weight = load.weight - CALL_WEIGHT * instance.inlined.len();
        all.weight = all.weight.saturating_add(weight.saturating_mul(n_copies));
        all.loop_depth = all.loop_depth.max(depth + load.loop_depth);
        for &(_, inlinee) in instance.inlined {
            copies[inlinee].0 = copies[inlinee].0.saturating_add(n_copies);
            copies[inlinee].1 = copies[inlinee].1.max(depth + load.loop_depth);
        }
    }
    if invalidation(unit).is_some() {
        let Some(exits) = ExitCount::of(unit, &instances) else { return Effort::Refuse };
        all.weight = all.weight.saturating_add(exits.n_exits.saturating_mul(4));
        all.weight = all.weight.saturating_add(exits.n_values);
    }
    all.effort()
}

/// What makes LLVM slow.
struct Load {
    /// The cost of compiling the operations, beside their operands, in additions.
    weight: usize,
    loop_depth: usize,
}

impl Load {
    /// `None` if the function alone is too large.
    fn of(function: &Function) -> Option<Self> {
        if function.ops.len() > MOST_FOR_QUICK {
            return None;
        }
        let facts = function.facts();
        let counts = &facts.counts;
        let weight = CALL_WEIGHT * (counts.calls + counts.tail_calls + counts.powers)
            + 3 * counts.comparisons
            + counts.ifs
            // The `Loop` itself, and its back edge.
            + 2 * counts.loops
            + counts.host_accesses
            // A conversion, a comparison, and a block with a call.
            + 6 * counts.element_accesses
            + counts.others
            + facts.n_phis;
        // A tail call makes a loop around everything.
        Some(Self { weight, loop_depth: facts.loop_depth + usize::from(facts.has_tail_call) })
    }

    fn effort(&self) -> Effort {
        if self.weight > MOST_FOR_QUICK {
            Effort::Refuse
        } else if self.weight > MOST_FOR_FULL || self.loop_depth > DEEPEST_FOR_FULL {
            Effort::Quick
        } else {
            Effort::Full
        }
    }
}
