//! The number of exits of a unit, and of the values that they write.

use kaleidoscope_ir::compile::{Instance, MAX_EXITS};
use kaleidoscope_ir::{Function, Op, OpIdx};

/// How much code the exits are.
#[derive(Clone, Copy, Default)]
pub(super) struct ExitCount {
    pub(super) n_exits: usize,
    /// The values that their code writes.
    pub(super) n_values: usize,
}

impl ExitCount {
    /// One exit for each call and back edge, though lowering finds most of them unnecessary. `None`
    /// if there are more exits or live variables than lowering copes with.
    pub(super) fn of(instances: &[Instance<'_>]) -> Option<Self> {
        let mut copies = vec![0_usize; instances.len()];
        copies[0] = 1;
        let mut count = Self::default();
        for (idx, instance) in instances.iter().enumerate() {
            let n_copies = copies[idx];
            if n_copies == 0 {
                continue;
            }
            for point in points(instance.function)? {
                let mut n_values = n_copies.saturating_mul(point.n_values);
                let callee = instance.function.ops[point.at.index()].callee();
                if let Some(inlinee) = callee.and_then(|callee| instance.inlined(callee)) {
                    copies[inlinee] = copies[inlinee].saturating_add(n_copies);
                    // The exits of the inlinee share the code that writes the caller's values.
                    n_values = n_values.saturating_mul(2);
                }
                count.n_exits = count.n_exits.saturating_add(n_copies);
                count.n_values = count.n_values.saturating_add(n_values);
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
