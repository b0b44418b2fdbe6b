//! The number of exits of a unit, and of the values that they write.

use kaleidoscope_ir::compile::{Instance, MAX_EXITS};
use kaleidoscope_ir::{Function, Op, OpIdx};

/// How much code the exits are.
#[derive(Clone, Copy, Default)]
pub(super) struct ExitCount {
    pub(super) n_exits: usize,
    /// The values of all exits.
    pub(super) n_values: usize,
}

/// The copies of an instance.
#[derive(Clone, Copy, Default)]
struct Copies {
    n: usize,
    /// The values of the frames around each copy, all copies together.
    n_outer_values: usize,
}

impl ExitCount {
    /// One exit for each call and back edge, though lowering finds most of them unnecessary. `None`
    /// if there are more exits or live variables than lowering copes with.
    pub(super) fn of(instances: &[Instance<'_>]) -> Option<Self> {
        let mut copies = vec![Copies::default(); instances.len()];
        copies[0].n = 1;
        let mut count = Self::default();
        for (idx, instance) in instances.iter().enumerate() {
            let copied = copies[idx];
            if copied.n == 0 {
                continue;
            }
            for point in points(instance.function)? {
                let values = copied.n.saturating_mul(point.n_values).saturating_add(copied.n_outer_values);
                let callee = instance.function.ops[point.at.index()].callee();
                if let Some(inlinee) = callee.and_then(|callee| instance.inlined(callee)) {
                    copies[inlinee].n = copies[inlinee].n.saturating_add(copied.n);
                    let outer = &mut copies[inlinee].n_outer_values;
                    *outer = outer.saturating_add(values);
                }
                count.n_exits = count.n_exits.saturating_add(copied.n);
                count.n_values = count.n_values.saturating_add(values);
            }
        }
        (count.n_exits <= MAX_EXITS).then_some(count)
    }
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
