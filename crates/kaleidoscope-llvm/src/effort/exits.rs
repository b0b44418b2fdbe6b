//! The number of exits of a unit, and of the values that they write.

use crate::lower::call_checks::{CALLS, CallChecks};
use kaleidoscope_ir::compile::{CallTarget, Instance, MAX_EXITS, Unit};
use kaleidoscope_ir::{Function, Op, OpIdx};

/// How much code the exits are.
#[derive(Clone, Copy, Default)]
pub(super) struct ExitCount {
    pub(super) n_exits: usize,
    /// The values that their code writes.
    pub(super) n_values: usize,
}

impl ExitCount {
    /// One exit for each call with a check behind it, and for each back edge. `None` if there are
    /// more exits or live variables than lowering copes with.
    pub(super) fn of(unit: &Unit, instances: &[Instance<'_>]) -> Option<Self> {
        let checks: Vec<_> = instances.iter().map(|instance| CallChecks::new(unit, instance)).collect();
        let have_exits = have_exits(unit, instances, &checks);
        let mut copies = vec![InlinedCopies::default(); instances.len()];
        copies[0].n_copies = 1;
        let mut count = Self::default();
        for (idx, instance) in instances.iter().enumerate() {
            let InlinedCopies { n_copies, begins_behind } = copies[idx];
            if n_copies == 0 {
                continue;
            }
            // Each access of an element in an inlinee has one without values.
            if idx > 0 {
                let n_accesses = instance.function.facts().counts.element_accesses;
                count.n_exits = count.n_exits.saturating_add(n_copies.saturating_mul(n_accesses));
            }
            let lowered = if idx == 0 { unit.kind.ops(instance.function) } else { 0..usize::MAX };
            for point in points(instance.function)? {
                let is_call = instance.function.ops[point.at.index()].callee().is_some();
                let following = is_call.then(|| checks[idx].behind(point.at));
                let begins = following.is_none_or(|it| it.begins || it.ends && begins_behind);
                let mut n_values = n_copies.saturating_mul(point.n_values);
                if let Some(inlinee) = instance.inlined(point.at) {
                    copies[inlinee].n_copies = copies[inlinee].n_copies.saturating_add(n_copies);
                    copies[inlinee].begins_behind |= begins;
                    if !have_exits[inlinee] {
                        continue;
                    }
                    // The exits of the inlinee share the code that writes the caller's values.
                    n_values = n_values.saturating_mul(2);
                } else if !begins || !checks_behind(unit, instance, point.at) {
                    continue;
                }
                if lowered.contains(&point.at.index()) {
                    count.n_exits = count.n_exits.saturating_add(n_copies);
                    count.n_values = count.n_values.saturating_add(n_values);
                }
            }
        }
        (count.n_exits <= MAX_EXITS).then_some(count)
    }
}

/// The copies of an instance.
#[derive(Clone, Copy, Default)]
struct InlinedCopies {
    n_copies: usize,
    /// Whether something inlined may begin behind one of them.
    begins_behind: bool,
}

/// For each instance, whether it may have an exit inside.
fn have_exits(unit: &Unit, instances: &[Instance<'_>], checks: &[CallChecks]) -> Vec<bool> {
    let mut have_exits = vec![false; instances.len()];
    for (idx, instance) in instances.iter().enumerate().rev() {
        let has_exit = |(at, _, inlinee): (OpIdx, _, Option<usize>)| match inlinee {
            Some(inlinee) => have_exits[inlinee],
            None => checks[idx].behind(at) != CALLS && checks_behind(unit, instance, at),
        };
        have_exits[idx] = instance.function.has_loops() || instance.calls().any(has_exit);
    }
    have_exits
}

/// Whether the operation is a back edge, or a call of what may redefine something.
fn checks_behind(unit: &Unit, instance: &Instance<'_>, at: OpIdx) -> bool {
    let callee = instance.function.ops[at.index()].callee();
    let target = callee.and_then(|callee| unit.call_targets.get(&callee));
    !matches!(target, Some(CallTarget::Maths { .. }))
}

/// A call or a back edge.
struct Point {
    at: OpIdx,
    /// The variables and operands of the function if it is left there.
    n_values: usize,
}

/// The calls and back edges of a function. `None` if it has too many live variables.
fn points(function: &Function) -> Option<Vec<Point>> {
    let liveness = function.liveness()?;
    let mut points = Vec::new();
    let mut height = 0;
    // For each open `if`, the height at the beginning of a branch.
    let mut ifs = Vec::new();
    for (at, op) in function.ops.iter().enumerate() {
        let (n_popped, n_pushed) = op.stack_effect(function.n_params);
        height = height - n_popped as usize + n_pushed as usize;
        let next = match *op {
            Op::Call { .. } => at + 1,
            Op::TailCall => 0,
            Op::Next { header, .. } => header.index() + 1,
            Op::If { .. } => {
                ifs.push(height);
                continue;
            }
            Op::Else { .. } => {
                height = *ifs.last().expect("brackets match");
                continue;
            }
            Op::End => {
                height = ifs.pop().expect("brackets match") + 1;
                continue;
            }
            Op::Number(_)
            | Op::Get(_)
            | Op::Set(_)
            | Op::GetHost(_)
            | Op::SetHost(_)
            | Op::GetElement(_)
            | Op::SetElement(_)
            | Op::Drop
            | Op::Arithmetic(_)
            | Op::Square
            | Op::Loop => continue,
        };
        let n_live = liveness.at(OpIdx::new(next as u32)).len();
        let n_operands = if *op == Op::TailCall { 0 } else { height };
        points.push(Point { at: OpIdx::new(at as u32), n_values: n_live + n_operands });
    }
    Some(points)
}
