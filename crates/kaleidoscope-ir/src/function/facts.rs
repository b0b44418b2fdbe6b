//! Facts: the answers to questions about a function's operations, computed once per function.
//!
//! [`Function::facts`] computes them in one pass when they are first asked for, which is when the
//! function is first compiled. A definition that never runs has no facts. The engine, both code
//! generators and the inlining planner read the same facts, so no other place scans operations for
//! loops, calls, host variables or assigned variables.
//!
//! The facts rely on the promises of [`Function`]. In particular, a variable that is first set
//! inside a bracket is out of scope behind it. Such a variable has no value to keep from one
//! iteration to the next or from a branch to the code behind it, so no bracket assigns it.

#[cfg(test)]
mod tests;

use super::Derived;
use super::liveness::Liveness;
use crate::op::Bracket;
use crate::{Arithmetic, Function, FunctionId, HostArray, HostVariable, Local, Op, OpIdx};
use std::ops::Index;

/// The most phis for which a function's facts include the assigned sets: more than any code
/// generator accepts. The number of phis can grow with the square of the function's size.
pub const MAX_PHIS: usize = 1 << 20;

/// What the operations of a function say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// How often each kind of operation occurs.
    pub counts: OpCounts,
    /// The loops, in order of appearance.
    pub loops: Box<[LoopFacts]>,
    /// How deep the loops nest: 0 without loops.
    pub loop_depth: usize,
    /// Whether the function calls itself in tail position, which is a back edge to its start.
    pub has_tail_call: bool,
    /// For each bracket (`If` or `Loop`), in order of appearance, the variables that the bracket
    /// assigns and that were set before it. Control flow that joins there needs a phi for exactly
    /// these. No sets if there are more than [`MAX_PHIS`].
    pub assigned: AssignedSets,
    /// The most phis that a code generator may need. Counting stops above [`MAX_PHIS`].
    pub n_phis: usize,
    /// The calls, sorted by callee and innermost loop. Tail calls are not among them.
    pub calls: Box<[CallFacts]>,
    /// The host variables that the function reads, sorted.
    pub host_variables_read: Box<[HostVariable]>,
    /// The host variables that the function assigns, sorted.
    pub host_variables_assigned: Box<[HostVariable]>,
    /// The arrays of the host of which the function reads elements, sorted.
    pub host_arrays_read: Box<[HostArray]>,
    /// The arrays of the host of which the function assigns elements, sorted.
    pub host_arrays_assigned: Box<[HostArray]>,
    /// The live variables, once someone has asked.
    pub(super) liveness: Derived<Option<Liveness>>,
}

/// How often the operations that matter for cost occur in a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpCounts {
    /// Calls, tail calls not counted.
    pub calls: usize,
    /// Tail calls.
    pub tail_calls: usize,
    /// `pow`.
    pub powers: usize,
    /// `<`.
    pub comparisons: usize,
    /// `if`s.
    pub ifs: usize,
    /// `for`s.
    pub loops: usize,
    /// Reads and writes of host variables.
    pub host_accesses: usize,
    /// Reads and writes of elements of arrays.
    pub element_accesses: usize,
    /// All other operations: numbers, variables, arithmetic, `Drop`, `Else` and `End`.
    pub others: usize,
}

/// One loop of a function. Loops are numbered from 0 in order of appearance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoopFacts {
    /// The position of the `Loop`.
    pub header: OpIdx,
    /// The position of the `Next`: the loop's back edge.
    pub next: OpIdx,
    /// The variable that the `Next` steps.
    pub variable: Local,
    /// The number of the loop's bracket in [`Facts::assigned`].
    pub bracket: usize,
    /// The number of the innermost loop around this loop.
    pub outer: Option<usize>,
}

/// The calls of one function from one place in the loop nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct CallFacts {
    /// The function that is called.
    pub callee: FunctionId,
    /// The number of the innermost loop around the calls.
    pub innermost_loop: Option<usize>,
    /// How many operations call the function from there.
    pub n_calls: usize,
}

/// A set of variables for each bracket of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssignedSets {
    /// The sets of all brackets, in the order in which the brackets end.
    variables: Box<[Local]>,
    /// The first and the last position of each bracket's set, the last not included.
    ranges: Box<[(u32, u32)]>,
}

impl AssignedSets {
    /// The number of brackets.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether the function has no brackets.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl Index<usize> for AssignedSets {
    type Output = [Local];

    /// The variables that a bracket assigns, sorted.
    fn index(&self, bracket: usize) -> &[Local] {
        let (from, to) = self.ranges[bracket];
        &self.variables[from as usize..to as usize]
    }
}

impl OpCounts {
    /// Whether control flow may branch: there is an `if`, a `for` or a tail call.
    pub fn has_branches(&self) -> bool {
        self.ifs + self.loops + self.tail_calls > 0
    }

    fn add(&mut self, op: Op) {
        let count = match op {
            Op::Call { .. } => &mut self.calls,
            Op::TailCall => &mut self.tail_calls,
            Op::Arithmetic(Arithmetic::Power) => &mut self.powers,
            Op::Arithmetic(Arithmetic::Less) => &mut self.comparisons,
            Op::If { .. } => &mut self.ifs,
            Op::Loop => &mut self.loops,
            Op::GetHost(_) | Op::SetHost(_) => &mut self.host_accesses,
            Op::GetElement(_) | Op::SetElement(_) => &mut self.element_accesses,
            Op::Arithmetic(
                Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Multiply | Arithmetic::Divide,
            )
            | Op::Number(_)
            | Op::Get(_)
            | Op::Set(_)
            | Op::Drop
            | Op::Square
            | Op::Else { .. }
            | Op::End => &mut self.others,
            // Counted with its `Loop`.
            Op::Next { .. } => return,
        };
        *count += 1;
    }
}

impl LoopFacts {
    /// The number of operations from the header to the back edge, those of inner loops included.
    pub fn n_ops(&self) -> usize {
        self.next.index() - self.header.index()
    }

    /// The variables that occur in the loop and were set before it, sorted: what code for the loop
    /// alone needs the values of. `function` is the function that the loop belongs to.
    ///
    /// Computed at each call, because all loops' sets together may be as large as the square of
    /// the function.
    pub fn variables(&self, function: &Function) -> Box<[Local]> {
        let (before, rest) = function.ops.split_at(self.header.index());
        let mut in_scope = SetVariables::of(function);
        let mut brackets = Vec::new();
        for &op in before {
            if let Some(variable) = op.assigned_local() {
                in_scope.set(variable, brackets.len());
            }
            match op.bracket() {
                Some(Bracket::Begin) => brackets.push(in_scope.n_set()),
                Some(Bracket::Middle) => in_scope.leave(*brackets.last().expect("brackets match")),
                Some(Bracket::End) => in_scope.leave(brackets.pop().expect("brackets match")),
                None => {}
            }
        }
        let used = rest[..=self.n_ops()].iter().filter_map(|op| op.local());
        let mut variables: Vec<_> = used.filter(|&variable| in_scope.has(variable)).collect();
        variables.sort_unstable();
        variables.dedup();
        variables.into()
    }
}

impl Facts {
    /// Whether an operation may run more than once in a call: there is a back edge.
    pub fn has_loops(&self) -> bool {
        self.has_tail_call || !self.loops.is_empty()
    }

    /// The loop whose `Loop` is at this position.
    pub fn loop_at(&self, header: OpIdx) -> Option<&LoopFacts> {
        let at = self.loops.binary_search_by_key(&header, |found| found.header).ok()?;
        Some(&self.loops[at])
    }

    /// The functions that the function calls, sorted, each with the number of operations that call
    /// it. Tail calls are not counted.
    pub fn callees(&self) -> impl Iterator<Item = (FunctionId, usize)> {
        self.calls
            .chunk_by(|one, next| one.callee == next.callee)
            .map(|calls| (calls[0].callee, calls.iter().map(|calls| calls.n_calls).sum()))
    }

    /// The host variables that the function reads or assigns; one that it reads and assigns occurs
    /// twice.
    pub fn host_variables(&self) -> impl Iterator<Item = HostVariable> {
        self.host_variables_read.iter().chain(&self.host_variables_assigned).copied()
    }

    /// The arrays of the host that the function uses; one of which it reads and assigns elements
    /// occurs twice.
    pub fn host_arrays(&self) -> impl Iterator<Item = HostArray> {
        self.host_arrays_read.iter().chain(&self.host_arrays_assigned).copied()
    }

    /// Whether a call may assign a host variable or an element of an array, as far as the function
    /// itself goes.
    pub fn assigns_host_memory(&self) -> bool {
        !self.host_variables_assigned.is_empty() || !self.host_arrays_assigned.is_empty()
    }

    pub(crate) fn new(function: &Function) -> Self {
        let mut counts = OpCounts::default();
        for &op in &function.ops {
            counts.add(op);
        }
        let mut pass = Pass::new(function, counts);
        for (at, &op) in function.ops.iter().enumerate() {
            pass.take(OpIdx::new(at as u32), op);
        }
        pass.finish()
    }
}

/// An `If` or `Loop` whose end has not been reached.
struct OpenBracket {
    /// Its number in order of appearance.
    number: usize,
    /// How many variables were set when it began.
    n_set: usize,
    /// The variables that it assigns, in no order.
    assigned: Vec<Local>,
    /// The number of the loop, if it is one.
    of_loop: Option<usize>,
}

/// The pass over a function's operations.
struct Pass {
    in_scope: SetVariables,
    open: Vec<OpenBracket>,
    innermost_loop: Option<usize>,
    loop_depth: usize,
    variables: Vec<Local>,
    ranges: Vec<(u32, u32)>,
    loops: Vec<LoopFacts>,
    calls: Vec<CallFacts>,
    read: Vec<HostVariable>,
    assigned: Vec<HostVariable>,
    arrays_read: Vec<HostArray>,
    arrays_assigned: Vec<HostArray>,
    counts: OpCounts,
    deepest: usize,
    n_phis: usize,
}

impl Pass {
    /// A pass over a function with these counts, which give the sizes of most results.
    fn new(function: &Function, counts: OpCounts) -> Self {
        Self {
            in_scope: SetVariables::of(function),
            open: Vec::new(),
            innermost_loop: None,
            loop_depth: 0,
            variables: Vec::new(),
            ranges: Vec::with_capacity(counts.ifs + counts.loops),
            loops: Vec::with_capacity(counts.loops),
            calls: Vec::with_capacity(counts.calls),
            read: Vec::new(),
            assigned: Vec::new(),
            arrays_read: Vec::new(),
            arrays_assigned: Vec::new(),
            counts,
            deepest: 0,
            // One phi for each parameter, however many tail calls there are.
            n_phis: if counts.tail_calls > 0 { function.n_params as usize } else { 0 },
        }
    }

    fn take(&mut self, at: OpIdx, op: Op) {
        match op {
            Op::Number(_) | Op::Get(_) | Op::Drop | Op::Arithmetic(_) | Op::Square | Op::TailCall => {}
            Op::Set(variable) => self.assign(variable),
            Op::GetHost(variable) => self.read.push(variable),
            Op::SetHost(variable) => self.assigned.push(variable),
            Op::GetElement(array) => self.arrays_read.push(array),
            Op::SetElement(array) => self.arrays_assigned.push(array),
            Op::Call { callee, .. } => {
                let innermost_loop = self.innermost_loop;
                self.calls.push(CallFacts { callee, innermost_loop, n_calls: 1 });
            }
            Op::If { .. } => self.begin(None),
            Op::Else { .. } => {
                let n_set = self.open.last().expect("brackets match").n_set;
                self.in_scope.leave(n_set);
            }
            Op::End => {
                // The value of an `if` needs a phi as well.
                self.n_phis += 1;
                self.end();
            }
            Op::Loop => {
                let nth = self.loops.len();
                self.loops.push(LoopFacts {
                    header: at,
                    next: at,
                    variable: Local::new(0),
                    bracket: self.ranges.len(),
                    outer: self.innermost_loop,
                });
                self.begin(Some(nth));
                self.innermost_loop = Some(nth);
                self.loop_depth += 1;
                self.deepest = self.deepest.max(self.loop_depth);
            }
            Op::Next { variable, .. } => {
                self.assign(variable);
                let nth = self.end().expect("brackets match");
                let ended = &mut self.loops[nth];
                ended.next = at;
                ended.variable = variable;
                self.innermost_loop = ended.outer;
                self.loop_depth -= 1;
            }
        }
    }

    fn begin(&mut self, of_loop: Option<usize>) {
        let number = self.ranges.len();
        self.ranges.push((0, 0));
        self.open.push(OpenBracket { number, n_set: self.in_scope.n_set(), assigned: Vec::new(), of_loop });
    }

    /// Ends the innermost bracket. Returns the number of the loop, if it is one.
    fn end(&mut self) -> Option<usize> {
        let mut closed = self.open.pop().expect("brackets match");
        self.in_scope.leave(closed.n_set);
        closed.assigned.sort_unstable();
        for &variable in &closed.assigned {
            self.in_scope.close(variable, self.open.len());
        }
        let from = self.variables.len() as u32;
        self.variables.append(&mut closed.assigned);
        self.ranges[closed.number] = (from, self.variables.len() as u32);
        closed.of_loop
    }

    /// Adds the variable to the sets of the open brackets that began after it was set.
    fn assign(&mut self, variable: Local) {
        if self.n_phis > MAX_PHIS {
            return;
        }
        let added = self.in_scope.set(variable, self.open.len());
        self.n_phis += added.len();
        for bracket in &mut self.open[added] {
            bracket.assigned.push(variable);
        }
    }

    fn finish(self) -> Facts {
        let Self { variables, ranges, mut calls, read, assigned, arrays_read, arrays_assigned, .. } = self;
        let has_sets = self.n_phis <= MAX_PHIS;
        calls.sort_unstable();
        calls.dedup_by(|next, first| {
            let is_same = (next.callee, next.innermost_loop) == (first.callee, first.innermost_loop);
            first.n_calls += usize::from(is_same);
            is_same
        });
        Facts {
            counts: self.counts,
            loops: self.loops.into(),
            loop_depth: self.deepest,
            has_tail_call: self.counts.tail_calls > 0,
            assigned: if has_sets {
                AssignedSets { variables: variables.into(), ranges: ranges.into() }
            } else {
                AssignedSets::default()
            },
            n_phis: self.n_phis,
            calls: calls.into(),
            host_variables_read: sorted(read),
            host_variables_assigned: sorted(assigned),
            host_arrays_read: sorted(arrays_read),
            host_arrays_assigned: sorted(arrays_assigned),
            liveness: Derived::default(),
        }
    }
}

fn sorted<T: Ord>(mut ids: Vec<T>) -> Box<[T]> {
    ids.sort_unstable();
    ids.dedup();
    ids.into()
}

/// Which variables are set, and which open brackets assign them.
struct SetVariables {
    /// For each variable that is set, the brackets that were open when it was set, and the brackets
    /// that are open and assign it or began before it was set.
    depths: Vec<Option<(u32, u32)>>,
    /// The variables that are set and are no parameters, in the order in which they were set.
    set: Vec<Local>,
}

impl SetVariables {
    /// The parameters are set before the first operation.
    fn of(function: &Function) -> Self {
        let mut depths = vec![None; function.locals.len()];
        depths[..function.n_params as usize].fill(Some((0, 0)));
        Self { depths, set: Vec::new() }
    }

    fn n_set(&self) -> usize {
        self.set.len()
    }

    fn has(&self, variable: Local) -> bool {
        self.depths[variable.index()].is_some()
    }

    /// Sets a variable inside `n_open` brackets. Returns the range of those that did not assign it
    /// so far and do now.
    ///
    /// The brackets that assign a variable are neighbors in the stack of open brackets, because a
    /// bracket around one that assigns the variable assigns it as well.
    fn set(&mut self, variable: Local, n_open: usize) -> std::ops::Range<usize> {
        match &mut self.depths[variable.index()] {
            Some((_, assigned)) => {
                let added = *assigned as usize..n_open;
                *assigned = n_open as u32;
                added
            }
            unset => {
                *unset = Some((n_open as u32, n_open as u32));
                self.set.push(variable);
                n_open..n_open
            }
        }
    }

    /// Notes that only `n_open` brackets are left of those that assign the variable.
    fn close(&mut self, variable: Local, n_open: usize) {
        if let Some((_, assigned)) = &mut self.depths[variable.index()] {
            *assigned = (*assigned).min(n_open as u32);
        }
    }

    /// Takes the variables out of scope that were set after the first `n_set`.
    fn leave(&mut self, n_set: usize) {
        for variable in self.set.drain(n_set..) {
            self.depths[variable.index()] = None;
        }
    }
}
