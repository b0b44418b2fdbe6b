//! Which variables each `if` and `for` of a function assigns, found before code is made of it: where control flow joins,
//! exactly these may need a phi.
//!
//! A variable that is first set inside a bracket is out of scope behind it and has no value to keep from one turn of a
//! loop to the next; so it needs none there.

use crate::{Function, Local, Op, OpIdx};
use std::collections::BTreeSet;

/// What a code generator must know before it starts.
#[derive(Clone, Debug)]
pub struct Facts {
    /// For each `If` and `Loop`, in order of appearance, the variables it assigns that were set before it.
    pub assigned: Vec<Box<[Local]>>,
    /// Whether the function calls itself in tail position.
    pub has_tail_call: bool,
    /// How deep the loops nest.
    pub loop_depth: usize,
    /// The most phis that a code generator may make.
    pub n_phis: usize,
}

/// One loop of a function, to be made code of by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopFacts {
    /// Where its `Loop` is.
    pub header: OpIdx,
    /// Where its `Next` is.
    pub next: OpIdx,
    /// Its place in [`Facts::assigned`].
    pub bracket: usize,
    /// The variables that occur in it and were set before it, in order. What it assigns of them is in
    /// [`Facts::assigned`]; of the others it only needs the value.
    pub variables: Box<[Local]>,
}

impl LoopFacts {
    /// The `nth` loop of a function in order of appearance, from 0; none if there are not as many.
    pub fn of(function: &Function, nth: usize) -> Option<Self> {
        let is_bracket = |op: &&Op| matches!(op, Op::If { .. } | Op::Loop);
        let places = function.ops.iter().enumerate();
        let (header, _) = places.clone().filter(|(_, op)| matches!(op, Op::Loop)).nth(nth)?;
        let bracket = function.ops[..header].iter().filter(is_bracket).count();
        let mut is_set = vec![false; function.locals.len()];
        is_set[..function.n_params as usize].fill(true);
        for op in &function.ops[..header] {
            if let Op::Set(variable) | Op::Next { variable, .. } = op {
                is_set[variable.index()] = true;
            }
        }
        let mut variables = BTreeSet::new();
        for (at, op) in places.skip(header) {
            if let Op::Get(variable) | Op::Set(variable) | Op::Next { variable, .. } = op
                && is_set[variable.index()]
            {
                variables.insert(*variable);
            }
            if matches!(op, Op::Next { header: of, .. } if of.index() == header) {
                let [header, next] = [header, at].map(|at| OpIdx::new(at as u32));
                return Some(Self { header, next, bracket, variables: variables.into_iter().collect() });
            }
        }
        unreachable!("the resolver matches brackets")
    }
}

/// An `If` or `Loop` whose end has not been seen.
struct Open {
    /// Its number in order of appearance.
    bracket: usize,
    /// The position of its operation.
    header: usize,
    assigned: BTreeSet<Local>,
}

impl Facts {
    /// The shape, unless more than `most_phis` would be needed.
    pub fn of(function: &Function, most_phis: usize) -> Option<Self> {
        let n_params = function.n_params as usize;
        // Parameters are set before the first operation, so they count as older than every bracket.
        let mut first_set: Vec<Option<usize>> = vec![None; function.locals.len()];
        let is_older = |first_set: &[Option<usize>], variable: Local, header: usize| {
            variable.index() < n_params || first_set[variable.index()].is_some_and(|at| at < header)
        };
        let mut shape = Self { assigned: Vec::new(), has_tail_call: false, loop_depth: 0, n_phis: 0 };
        let mut open: Vec<Open> = Vec::new();
        let mut n_loops = 0;

        for (at, op) in function.ops.iter().enumerate() {
            match *op {
                Op::Set(variable) | Op::Next { variable, .. } => {
                    first_set[variable.index()].get_or_insert(at);
                    // Whatever is in a bracket's set is in those of the brackets around it already.
                    for bracket in open.iter_mut().rev() {
                        if !is_older(&first_set, variable, bracket.header)
                            || !bracket.assigned.insert(variable)
                        {
                            break;
                        }
                        shape.n_phis += 1;
                    }
                }
                Op::If { .. } | Op::Loop => {
                    let bracket = shape.assigned.len();
                    shape.assigned.push(Box::default());
                    open.push(Open { bracket, header: at, assigned: BTreeSet::new() });
                }
                Op::TailCall if !shape.has_tail_call => {
                    shape.has_tail_call = true;
                    shape.n_phis += n_params;
                }
                _ => {}
            }
            match op {
                Op::Loop => {
                    n_loops += 1;
                    shape.loop_depth = shape.loop_depth.max(n_loops);
                }
                // The value of an `if` takes a phi as well.
                Op::End => shape.n_phis += 1,
                Op::Next { .. } => n_loops -= 1,
                _ => {}
            }
            if matches!(op, Op::End | Op::Next { .. })
                && let Some(closed) = open.pop()
            {
                shape.assigned[closed.bracket] = closed.assigned.into_iter().collect();
            }
            if shape.n_phis > most_phis {
                return None;
            }
        }
        Some(shape)
    }
}
