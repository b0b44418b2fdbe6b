//! `if`s that become selects: they only choose between values that exist already, or compare such
//! values.
//!
//! The conditions of a program's own operators consist of these (`!`, `&` and `|` cannot be
//! anything else), and so do maximum and minimum. As selects they take a seventh less time. An
//! `if` that computes something in a branch stays a branch: a select computes both sides, which
//! costs Collatz's sequence 60 %.

use super::Instance;
use kaleidoscope_ir::{Arithmetic, Op, OpIdx};

/// The most comparisons and selects in the branches of a select.
const MOST: usize = 8;

/// The `if`s of an instance that become selects.
#[derive(Clone, Debug, Default)]
pub(super) struct SelectIfs {
    /// For each bracket, in order of appearance, whether it is an `if` that becomes a select.
    pub(super) is_select: Vec<bool>,
    /// The number of comparisons and selects in the whole instance. `None` if it has anything else.
    weight: Option<usize>,
}

/// A bracket whose end has not been reached.
struct OpenBracket {
    bracket: usize,
    /// The comparisons and selects so far. `None` if there is anything else.
    weight: Option<usize>,
}

/// Finds the `if`s of all instances that become selects.
pub(super) fn find_select_ifs(instances: &[Instance<'_>]) -> Vec<SelectIfs> {
    let mut found = vec![SelectIfs::default(); instances.len()];
    // An instance contains only instances behind itself.
    for at in (0..instances.len()).rev() {
        found[at] = find_in(&instances[at], &found);
    }
    found
}

fn find_in(instance: &Instance<'_>, inlinees: &[SelectIfs]) -> SelectIfs {
    let mut is_select = Vec::new();
    let mut open = vec![OpenBracket { bracket: usize::MAX, weight: Some(0) }];
    for (at, op) in instance.function.ops.iter().enumerate() {
        let more = match op {
            Op::Number(_) | Op::Get(_) | Op::Else { .. } => Some(0),
            Op::Arithmetic(Arithmetic::Less) => Some(1),
            Op::Call { .. } => {
                instance.inlined(OpIdx::new(at as u32)).and_then(|called| inlinees[called].weight)
            }
            Op::If { .. } | Op::Loop => {
                open.push(OpenBracket { bracket: is_select.len(), weight: Some(0) });
                is_select.push(false);
                continue;
            }
            Op::End => {
                let closed = open.pop().expect("brackets match");
                is_select[closed.bracket] = closed.weight.is_some();
                closed.weight.map(|weight| weight + 1)
            }
            Op::Next { .. } => {
                open.pop();
                None
            }
            Op::Set(_)
            | Op::GetHost(_)
            | Op::SetHost(_)
            | Op::GetElement(_)
            | Op::SetElement(_)
            | Op::Drop
            | Op::Arithmetic(
                Arithmetic::Add
                | Arithmetic::Subtract
                | Arithmetic::Multiply
                | Arithmetic::Divide
                | Arithmetic::Power,
            )
            | Op::Square
            | Op::TailCall => None,
        };
        let around = &mut open.last_mut().expect("the function is around everything").weight;
        *around = around.zip(more).map(|(weight, more)| weight + more).filter(|weight| *weight <= MOST);
    }
    SelectIfs { is_select, weight: open[0].weight }
}
