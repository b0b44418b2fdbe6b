//! What LLVM can be asked to do for a function, so that no text makes it compute for minutes.
//!
//! Its optimiser and its selection of instructions grow faster than the function: with the length of a block, the depth
//! of loops, the number of variables that live across calls or meet in phis. Generating code without optimisation
//! grows nearly in proportion, up to a size. Up to the limits below, compiling in full takes less than half a second and
//! quickly less than two, measured on two cores of a busy server, for long chains of each operation, calls with few
//! and many arguments, values kept across calls, `if` and `for` in sequence and in depth, and as many variables
//! assigned in them as they are deep.

#[cfg(test)]
mod tests;

use kaleidoscope_ir::Facts;
use kaleidoscope_ir::compile::Unit;
use kaleidoscope_ir::{Arithmetic, Function, Op};

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
        all.weight = all.weight.saturating_add(load.weight.saturating_mul(n_copies));
        all.loop_depth = all.loop_depth.max(depth + load.loop_depth);
        for op in &instance.function.ops {
            if let Op::Call { callee, .. } = op
                && let Some(inlinee) = instance.inlined(*callee)
            {
                copies[inlinee].0 = copies[inlinee].0.saturating_add(n_copies);
                copies[inlinee].1 = copies[inlinee].1.max(depth + load.loop_depth);
            }
        }
    }
    all.effort()
}

/// What makes LLVM slow.
struct Load {
    weight: usize,
    loop_depth: usize,
}

impl Load {
    /// Nothing if it is too much at first sight.
    fn of(function: &Function) -> Option<Self> {
        if function.ops.len() > MOST_FOR_QUICK {
            return None;
        }
        let shape = Facts::of(function, MOST_FOR_QUICK)?;
        let weight = function.ops.iter().map(weight).sum::<usize>() + shape.n_phis;
        // A tail call makes a loop around everything.
        Some(Self { weight, loop_depth: shape.loop_depth + usize::from(shape.has_tail_call) })
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

/// What compiling the operation costs, beside its operands, in additions.
fn weight(op: &Op) -> usize {
    match op {
        Op::Call { .. } | Op::TailCall => 4,
        Op::Arithmetic(Arithmetic::Power) => 4,
        Op::Arithmetic(Arithmetic::Less) => 3,
        _ => 1,
    }
}
