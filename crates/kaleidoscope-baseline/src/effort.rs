//! What Cranelift can be asked to do for a function, so that no text makes it compute for long.
//!
//! Its better register allocator takes time that grows with the square of the values that live at once and of the
//! depth of loops; the quick one grows nearly in proportion to the function, and to the number of blocks times the
//! values that live through them. The weights below follow the latter: about a microsecond each, on two cores of a
//! busy server, for long chains of each operation, calls with few and many arguments, values kept across calls, `if`
//! and `for` in sequence and in depth, and as many variables assigned in them as they are deep, with counting and
//! without.

#[cfg(test)]
mod tests;

use kaleidoscope_ir::Facts;
use kaleidoscope_ir::{Arithmetic, Function, Op};

/// How a function can be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// With good use of registers.
    Full,
    /// In little more than half the time, with most values in memory.
    Quick,
}

/// The weight up to which a function is compiled in full: that takes less than a tenth of a second for all the shapes
/// above, and for most a few milliseconds.
const MOST_FOR_FULL: usize = 8_000;

/// The weight up to which a function is compiled at all.
const MOST_FOR_QUICK: usize = 2_000_000;

/// How a function can be compiled and its shape, unless compiling it would take more than about two seconds. Found in
/// time proportional to its size.
pub(crate) fn effort(function: &Function, counts: bool) -> Option<(Effort, Facts)> {
    let costs = if counts { COUNTING } else { PLAIN };
    if function.ops.len() > MOST_FOR_QUICK {
        return None;
    }
    let shape = Facts::of(function, MOST_FOR_QUICK / costs.phi)?;
    let n_values = function.locals.len() + function.max_stack as usize;
    let weight = function.ops.iter().map(|op| costs.of(op)).sum::<usize>()
        + shape.n_phis * costs.phi
        // A bit for each value that lives through a block: a dozen take as long as anything else.
        + n_values * shape.assigned.len() / 12;
    let effort = match weight {
        ..=MOST_FOR_FULL => Effort::Full,
        _ => Effort::Quick,
    };
    (weight <= MOST_FOR_QUICK).then_some((effort, shape))
}

/// What parts of a function weigh.
struct Costs {
    phi: usize,
    branch: usize,
    turn: usize,
    tail_call: usize,
}

const PLAIN: Costs = Costs { phi: 3, branch: 12, turn: 25, tail_call: 10 };

/// Each loop brings two blocks and a call more, a tail call a block and a jump unless all parameters are in registers.
const COUNTING: Costs = Costs { phi: 12, branch: 12, turn: 120, tail_call: 30 };

impl Costs {
    fn of(&self, op: &Op) -> usize {
        match op {
            Op::Call { .. } | Op::Arithmetic(Arithmetic::Power) => 10,
            Op::TailCall => self.tail_call,
            Op::If { .. } => self.branch,
            Op::Next { .. } => self.turn,
            Op::Arithmetic(Arithmetic::Less) => 4,
            _ => 2,
        }
    }
}
