//! Which `if`s only choose between values that are there already, or compare such values: they become selects, without
//! a branch.
//!
//! Conditions of a program's own operators are made of these (`!`, `&` and `|` cannot be anything else), and so are
//! maximum and minimum; as selects they take a seventh of the time less. An `if` that computes something in a branch
//! stays one: where a select takes its place both sides are computed, which costs Collatz's sequence 60 %.

use super::{Instance, Op};
use kaleidoscope_ir::Arithmetic;

/// The most comparisons and choices that a branch of a select may hold.
const MOST: usize = 8;

/// What is known of an instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Choices {
    /// For each `If` and `Loop`, in order of appearance, whether it becomes a select.
    pub(super) is_choice: Vec<bool>,
    /// How many comparisons and choices the whole body holds, if it holds nothing else.
    weight: Option<usize>,
}

/// A bracket whose end has not been seen.
struct Open {
    bracket: usize,
    /// Of the branches so far.
    weight: Option<usize>,
}

/// Looks at all instances of a unit.
pub(super) fn choices(instances: &[Instance<'_>]) -> Vec<Choices> {
    let mut found = vec![Choices::default(); instances.len()];
    // An instance carries only instances behind its own.
    for at in (0..instances.len()).rev() {
        found[at] = choices_of(&instances[at], &found);
    }
    found
}

fn choices_of(instance: &Instance<'_>, carried: &[Choices]) -> Choices {
    let mut is_choice = Vec::new();
    let mut open = vec![Open { bracket: usize::MAX, weight: Some(0) }];
    for op in &instance.function.ops {
        let more = match op {
            Op::Number(_) | Op::Get(_) | Op::Else { .. } => Some(0),
            Op::Arithmetic(Arithmetic::Less) => Some(1),
            Op::Call { callee, .. } => instance.inlined(*callee).and_then(|called| carried[called].weight),
            Op::If { .. } | Op::Loop => {
                open.push(Open { bracket: is_choice.len(), weight: Some(0) });
                is_choice.push(false);
                continue;
            }
            Op::End => {
                let closed = open.pop().expect("brackets match");
                is_choice[closed.bracket] = closed.weight.is_some();
                closed.weight.map(|weight| weight + 1)
            }
            Op::Next { .. } => {
                open.pop();
                None
            }
            _ => None,
        };
        let around = &mut open.last_mut().expect("the body is around everything").weight;
        *around = around.zip(more).map(|(weight, more)| weight + more).filter(|weight| *weight <= MOST);
    }
    Choices { is_choice, weight: open[0].weight }
}
