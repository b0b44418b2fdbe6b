//! Liveness: which variables may still be read at the points where running code can be left.
//!
//! These points are the starts of loop bodies, the operations behind calls, and the function's
//! start, where a tail call continues. Optimized code that is left there writes exactly the live
//! variables (`compile/exit.rs`).
//!
//! Two passes from the last operation to the first. The first one summarizes each loop: what it
//! reads before it assigns, and what it assigns on every path. So the second one knows what is
//! live at a loop's back edge before it has seen the loop's body, and needs no fixed point.

#[cfg(test)]
mod tests;

use crate::{Function, Local, Op, OpIdx};

/// The most variables in all sets of one function together. The number can grow with the square of
/// the function's size.
const MAX_VARIABLES: usize = 1 << 20;

/// The live variables at each point where code can be left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// The sets of all points.
    variables: Box<[Local]>,
    /// The points in order, each with the first and the last position of its set, the last not
    /// included.
    points: Box<[(OpIdx, u32, u32)]>,
}

impl Liveness {
    /// The variables that may be read, before they are assigned, if the function continues with the
    /// operation at `next`: 0, the operation behind a `Loop`, or the one behind a call. Sorted.
    ///
    /// # Panics
    /// If `next` is no such point.
    pub fn at(&self, next: OpIdx) -> &[Local] {
        let found = self.points.binary_search_by_key(&next, |(point, ..)| *point);
        let (_, from, to) = self.points[found.expect("code is left only at these points")];
        &self.variables[from as usize..to as usize]
    }

    /// `None` if the sets are too large. A code generator does not cope with such a function.
    pub(super) fn new(function: &Function) -> Option<Self> {
        let loops = summarize_loops(function);
        let mut live = Set::none(function);
        let mut sets = Sets::default();
        // For each open `if`, what is live behind it; then at the start of its second branch.
        let mut ifs: Vec<Set> = Vec::new();
        let mut n_loops = loops.len();
        for (at, op) in function.ops.iter().enumerate().rev() {
            match *op {
                Op::Get(variable) => live.insert(variable),
                Op::Set(variable) => live.remove(variable),
                Op::Call { .. } => sets.add(at + 1, &live),
                Op::TailCall => live = Set::none(function),
                Op::End => ifs.push(live.clone()),
                Op::Else { .. } => std::mem::swap(&mut live, ifs.last_mut().expect("brackets match")),
                Op::If { .. } => live.extend(&ifs.pop().expect("brackets match")),
                Op::Next { variable, .. } => {
                    n_loops -= 1;
                    live.extend(&loops[n_loops].live_at_header(&live));
                    live.insert(variable);
                }
                Op::Loop => sets.add(at + 1, &live),
                Op::Number(_)
                | Op::GetHost(_)
                | Op::SetHost(_)
                | Op::GetElement(_)
                | Op::SetElement(_)
                | Op::Drop
                | Op::Arithmetic(_)
                | Op::Square => {}
            }
            if sets.variables.len() > MAX_VARIABLES {
                return None;
            }
        }
        sets.add(0, &live);
        Some(sets.finish())
    }
}

/// The sets, in reverse order of their points.
#[derive(Default)]
struct Sets {
    variables: Vec<Local>,
    points: Vec<(OpIdx, u32, u32)>,
}

impl Sets {
    fn add(&mut self, point: usize, live: &Set) {
        let from = self.variables.len() as u32;
        self.variables.extend(live.iter());
        self.points.push((OpIdx::new(point as u32), from, self.variables.len() as u32));
    }

    fn finish(mut self) -> Liveness {
        self.points.reverse();
        Liveness { variables: self.variables.into(), points: self.points.into() }
    }
}

/// What code does to liveness: behind it `x` is live, so before it `read ∪ (x − assigned)`.
#[derive(Clone)]
struct Summary {
    /// What may be read before it is assigned.
    read: Set,
    /// What is assigned on every path that reaches the end.
    assigned: Set,
}

impl Summary {
    /// What is live at the header of a loop that this summarizes, if `live` is live behind it. What
    /// is live at the header is live at the back edge too; that adds nothing here, because the
    /// loop either reads it first, or it passes through.
    fn live_at_header(&self, live: &Set) -> Set {
        let mut before = live.clone();
        before.subtract(&self.assigned);
        before.extend(&self.read);
        before
    }
}

/// For each loop, in the order of the back edges, what an iteration does.
fn summarize_loops(function: &Function) -> Vec<Summary> {
    let mut loops = vec![None; function.facts().loops.len()];
    if loops.is_empty() {
        return Vec::new();
    }
    let nothing = || Summary { read: Set::none(function), assigned: Set::none(function) };
    // What the code from here to the end of the innermost open bracket does.
    let mut current = nothing();
    // What the code behind each open bracket does. For an `if` whose second branch has been seen,
    // that branch follows.
    let mut outer: Vec<Summary> = Vec::new();
    let mut open_loops = Vec::new();
    let mut n_back_edges = loops.len();
    for op in function.ops.iter().rev() {
        match *op {
            Op::Get(variable) => current.read.insert(variable),
            Op::Set(variable) => {
                current.read.remove(variable);
                current.assigned.insert(variable);
            }
            Op::TailCall => {
                current = Summary { read: Set::none(function), assigned: Set::all(function) };
            }
            Op::End => outer.push(std::mem::replace(&mut current, nothing())),
            Op::Else { .. } => outer.push(std::mem::replace(&mut current, nothing())),
            Op::If { .. } => {
                let second = outer.pop().expect("brackets match");
                current.read.extend(&second.read);
                current.assigned.intersect(&second.assigned);
                current = current.then(&outer.pop().expect("brackets match"));
            }
            Op::Next { variable, .. } => {
                n_back_edges -= 1;
                open_loops.push(n_back_edges);
                outer.push(std::mem::replace(&mut current, nothing()));
                current.read.insert(variable);
            }
            Op::Loop => {
                loops[open_loops.pop().expect("brackets match")] = Some(current.clone());
                current = current.then(&outer.pop().expect("brackets match"));
            }
            Op::Number(_)
            | Op::GetHost(_)
            | Op::SetHost(_)
            | Op::GetElement(_)
            | Op::SetElement(_)
            | Op::Drop
            | Op::Arithmetic(_)
            | Op::Square
            | Op::Call { .. } => {}
        }
    }
    loops.into_iter().map(|summary: Option<Summary>| summary.expect("each loop has its `Loop`")).collect()
}

impl Summary {
    /// What this code and then `next` do.
    fn then(mut self, next: &Self) -> Self {
        let mut read = next.read.clone();
        read.subtract(&self.assigned);
        self.read.extend(&read);
        self.assigned.extend(&next.assigned);
        self
    }
}

/// A set of variables of one function, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Set(Box<[u64]>);

impl Set {
    fn none(function: &Function) -> Self {
        Self(vec![0; function.locals.len().div_ceil(64)].into())
    }

    fn all(function: &Function) -> Self {
        Self(vec![u64::MAX; function.locals.len().div_ceil(64)].into())
    }

    fn insert(&mut self, variable: Local) {
        self.0[variable.index() / 64] |= 1 << (variable.index() % 64);
    }

    fn remove(&mut self, variable: Local) {
        self.0[variable.index() / 64] &= !(1 << (variable.index() % 64));
    }

    fn extend(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
    }

    fn subtract(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, less)| *word &= !less);
    }

    fn intersect(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, kept)| *word &= kept);
    }

    fn iter(&self) -> impl Iterator<Item = Local> {
        let bits = |(nth, word): (usize, &u64)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros();
                word &= word.wrapping_sub(1);
                (bit < 64).then(|| Local::new(nth as u32 * 64 + bit))
            })
        };
        self.0.iter().enumerate().flat_map(bits)
    }
}
