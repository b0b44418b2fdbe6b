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

use kaleidoscope_lang::code::{Arithmetic, Function, Op};
use kaleidoscope_lang::shape::Shape;

/// How a function can be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effort {
    /// At any [`OptLevel`](crate::OptLevel).
    Full,
    /// Only at [`OptLevel::None`](crate::OptLevel::None), passes and code generator alike.
    Quick,
    /// Not at all.
    Refuse,
}

/// The weight up to which a function is compiled at any level.
const MOST_FOR_FULL: usize = 12_000;

/// The weight up to which it is compiled at all.
const MOST_FOR_QUICK: usize = 100_000;

/// The depth of loops up to which it is compiled at any level: 200 take 0.15 s, 1,000 take 4 to 7 s.
const DEEPEST_FOR_FULL: usize = 200;

/// How a function can be compiled, found in time proportional to its size.
///
/// LLVM needs less than 1 MiB of stack for every function that is not refused; a thread with 8 is safe.
pub fn effort(function: &Function) -> Effort {
    if function.ops.len() > MOST_FOR_QUICK {
        return Effort::Refuse;
    }
    let Some(shape) = Shape::of(function, MOST_FOR_QUICK) else { return Effort::Refuse };
    let weight = function.ops.iter().map(weight).sum::<usize>() + shape.n_phis;
    if weight > MOST_FOR_QUICK {
        Effort::Refuse
    } else if weight > MOST_FOR_FULL || shape.loop_depth > DEEPEST_FOR_FULL {
        Effort::Quick
    } else {
        Effort::Full
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
