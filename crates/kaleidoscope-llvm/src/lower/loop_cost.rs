//! The cost of loops: how long an iteration may take without passing a check of the validity flag.
//!
//! Code must notice within a millisecond that another thread invalidated it. Loops that cannot be
//! counted check before each further iteration. A counted loop whose iterations are short runs a
//! *strip* of iterations between two checks. If its number of iterations is constant and small, it
//! needs none.
//!
//! Costs are estimates in nanoseconds for ordinary numbers. Operations on subnormal numbers may
//! take fifty times as long, so strips are much shorter than a millisecond. The two branches of an
//! `if` count both.

use super::Instance;
use super::call::instruction;
use super::counted_loop::CountedLoops;
use kaleidoscope_ir::compile::{CallTarget, Unit};
use kaleidoscope_ir::{Arithmetic, MathsFunction, Op, OpIdx};

/// The cost of a strip: a fiftieth of the time within which code must notice.
const STRIP: u64 = 20_000;

/// The cost up to which a whole loop needs no check. Many such loops may follow each other.
const UNCHECKED: u64 = STRIP / 8;

/// Fewer iterations between two checks do not pay for the loop around them.
const SHORTEST: u64 = 64;

/// When a loop checks the flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoopCheck {
    Never,
    EachIteration,
    /// After this number of iterations.
    Strips(u64),
}

/// The costs of an instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Costs {
    /// For each bracket, in order of appearance, the cost of an iteration if it is a loop. `None`
    /// if the body calls slots, or contains a loop that checks.
    iterations: Vec<Option<u64>>,
    /// The cost of the whole instance.
    total: Option<u64>,
}

impl Costs {
    /// When the loop with this bracket number checks. `most_iterations` is the most iterations that
    /// it may have, if that is known. For counted loops.
    pub(super) fn check_of(&self, bracket: usize, most_iterations: Option<u64>) -> LoopCheck {
        let Some(cost) = self.iterations[bracket] else { return LoopCheck::EachIteration };
        let cost = cost.max(1);
        let strip = STRIP / cost / SHORTEST * SHORTEST;
        if most_iterations.is_some_and(|n| n.saturating_mul(cost) <= UNCHECKED) {
            LoopCheck::Never
        } else if strip == 0 {
            LoopCheck::EachIteration
        } else {
            LoopCheck::Strips(strip)
        }
    }
}

/// The costs of all instances, whose counted loops are given.
pub(super) fn find_costs(unit: &Unit, instances: &[Instance<'_>], counted: &[CountedLoops]) -> Vec<Costs> {
    let mut found = vec![Costs::default(); instances.len()];
    // An instance contains only instances behind itself.
    for at in (0..instances.len()).rev() {
        found[at] = find_in(unit, &instances[at], &counted[at], &found);
    }
    found
}

fn find_in(unit: &Unit, instance: &Instance<'_>, counted: &CountedLoops, inlinees: &[Costs]) -> Costs {
    let mut iterations = Vec::new();
    // For each open bracket, its number and its cost so far. The function is around everything.
    let mut open = vec![(usize::MAX, Some(0_u64))];
    for (at, op) in instance.function.ops.iter().enumerate() {
        let more = match *op {
            Op::Number(_) | Op::Get(_) | Op::Set(_) | Op::Drop | Op::Else { .. } => Some(0),
            Op::GetHost(_) | Op::SetHost(_) | Op::Square => Some(1),
            // The element may be in no cache.
            Op::GetElement(_) | Op::SetElement(_) => Some(4),
            Op::Arithmetic(arithmetic) => Some(match arithmetic {
                Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Multiply | Arithmetic::Less => 1,
                Arithmetic::Divide => 5,
                Arithmetic::Power => maths_cost(MathsFunction::Pow),
            }),
            Op::Call { callee, .. } => match instance.inlined(OpIdx::new(at as u32)) {
                Some(inlinee) => inlinees[inlinee].total,
                None => match unit.call_target(callee) {
                    CallTarget::Maths { function, .. } => Some(maths_cost(function)),
                    CallTarget::Slot { .. } => None,
                },
            },
            Op::TailCall => None,
            Op::If { .. } | Op::Loop => {
                open.push((iterations.len(), Some(0)));
                iterations.push(None);
                continue;
            }
            Op::End => open.pop().expect("brackets match").1.map(|cost| cost + 1),
            Op::Next { header, .. } => {
                let (bracket, cost) = open.pop().expect("brackets match");
                let cost = cost.map(|cost| cost + 1);
                iterations[bracket] = cost;
                let most_iterations = counted.most_iterations(instance.function, header);
                let all = cost.zip(most_iterations).map(|(cost, n)| cost.saturating_mul(n));
                all.filter(|all| *all <= UNCHECKED)
            }
        };
        let around = &mut open.last_mut().expect("the function is around everything").1;
        *around = around.zip(more).map(|(cost, more)| cost.saturating_add(more));
    }
    Costs { iterations, total: open[0].1 }
}

fn maths_cost(function: MathsFunction) -> u64 {
    match function {
        // One step for each bit by which the exponents differ.
        MathsFunction::Fmod => 2_000,
        MathsFunction::Pow | MathsFunction::Tgamma => 100,
        _ if instruction(function).is_some() => 5,
        _ => 50,
    }
}
