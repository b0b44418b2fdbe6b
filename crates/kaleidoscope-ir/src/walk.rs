//! The walk: visits a function's operations for a code generator, and resolves the structured
//! control flow into events.
//!
//! A code generator implements [`Emitter`] and calls [`walk()`]. The walk matches brackets,
//! numbers them, tracks which code is reachable and which variables are set, and continues in
//! inlinees. The emitter owns its values, its operand stack and its blocks or labels: the walk
//! never sees a value, so it fits SSA construction as well as a single pass over registers and
//! frame slots.
//!
//! Joins and loop headers are events of their own, each with the variables that the region
//! assigns. SSA construction needs a phi for exactly these. A single-pass compiler must have
//! exactly these in the same place on all paths. A back edge has the live variables too: what an
//! OSR entry needs.
//!
//! The walk keeps its own stacks, so no nesting of the program deepens the native stack.

use crate::{Arithmetic, Facts, Function, FunctionId, HostArray, HostVariable, Local, Op, OpIdx};

/// A code generator, as the walk sees it. Each method emits code for one operation or event.
///
/// The operations of a function arrive in order. Behind a tail call nothing arrives before the next
/// [`begin_else`](Self::begin_else) or [`end_if`](Self::end_if).
pub trait Emitter<'f> {
    /// What the emitter remembers from an `if`'s beginning to its end.
    type If;
    /// What the emitter remembers from a loop's header to its back edge.
    type Loop;

    /// Called before each operation, with its position. For debug information.
    #[inline(always)]
    fn begin_op(&mut self, at: OpIdx) {
        let _ = at;
    }

    /// Pushes a number.
    fn number(&mut self, number: f64);
    /// Pushes a variable's value.
    fn get(&mut self, variable: Local);
    /// Assigns the top value to a variable. The value stays on the stack.
    fn set(&mut self, variable: Local);
    /// Pushes a host variable's value.
    fn get_host(&mut self, variable: HostVariable);
    /// Assigns the top value to a host variable. The value stays on the stack.
    fn set_host(&mut self, variable: HostVariable);
    /// Replaces the top value, an index, by the element of the array. `at` is the position of the
    /// operation.
    fn get_element(&mut self, at: OpIdx, array: HostArray);
    /// Pops a value and an index below it, assigns the value to the element, and pushes the value.
    fn set_element(&mut self, at: OpIdx, array: HostArray);
    /// Pops a value.
    fn drop_value(&mut self);
    /// Pops two operands, the right one first, and pushes the result.
    fn arithmetic(&mut self, arithmetic: Arithmetic);
    /// Replaces the top value by its square.
    fn square(&mut self);

    /// Pops the arguments, the last one first. Either emits a call and pushes the result, or
    /// returns the inlinee: the walk then continues in the inlinee's operations, and calls
    /// [`end_inlinee`](Self::end_inlinee) behind them. `at` is the position of the call.
    fn call(&mut self, at: OpIdx, callee: FunctionId, n_args: usize) -> Option<&'f Function>;
    /// Ends an inlinee. Its result is on the stack if the end is reachable. Otherwise the emitter
    /// must push any value, and what follows is dead code.
    fn end_inlinee(&mut self, is_reachable: bool);
    /// Pops as many arguments as the current function or inlinee has parameters, assigns them to
    /// the parameters, and jumps to the function's start.
    fn tail_call(&mut self);

    /// Pops the condition and branches: the first branch follows.
    fn begin_if(&mut self, region: Region<'f>) -> Self::If;
    /// Ends the first branch, whose value is on the stack if its end is reachable. The second
    /// branch follows, with the stack and the variables as they were behind the condition.
    fn begin_else(&mut self, state: &mut Self::If, region: Region<'f>, is_reachable: bool);
    /// Joins the branches. The second branch's value is on the stack if its end is reachable.
    /// Behind the join the stack has one value if any end is reachable.
    fn end_if(&mut self, state: Self::If, region: Region<'f>, join: Join);
    /// Begins a loop: what follows is the target of the loop's back edge.
    fn begin_loop(&mut self, region: Region<'f>) -> Self::Loop;
    /// Ends a loop: pops the condition, then the step. Adds the step to the loop's variable, and
    /// jumps to the loop's header if the condition holds.
    fn end_loop(&mut self, state: Self::Loop, region: Region<'f>, back_edge: BackEdge<'_>);
}

/// A region of structured control flow: an `if` or a loop.
#[derive(Clone, Copy, Debug)]
pub struct Region<'f> {
    /// The number among all `if`s and loops of the function, in order of appearance.
    pub number: usize,
    /// The position of its `If` or `Loop`.
    pub header: OpIdx,
    /// The variables that the region assigns and that were set before it, sorted.
    pub assigned: &'f [Local],
}

/// Which branches of an `if` reach its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Both: control flow joins.
    Both,
    /// Only the first: the second ends in a tail call.
    First,
    /// Only the second: the first ends in a tail call.
    Second,
    /// Neither: what follows is unreachable.
    Neither,
}

/// The back edge of a loop.
#[derive(Clone, Copy, Debug)]
pub struct BackEdge<'w> {
    /// The loop's number among all loops of the function, in order of appearance.
    pub loop_number: usize,
    /// The variable that the step is added to.
    pub variable: Local,
    header: OpIdx,
    liveness: &'w Liveness,
}

impl BackEdge<'_> {
    /// The live variables: those that were set before the loop and that the loop reads, in no
    /// order. An OSR entry for the loop needs these and the variables that the loop assigns.
    pub fn live(&self) -> impl Iterator<Item = Local> {
        self.liveness.read_since(self.header)
    }
}

/// Walks over a whole function. Returns whether its end is reachable.
pub fn walk<'f, E: Emitter<'f>>(function: &'f Function, emitter: &mut E) -> bool {
    Walk { current: Position::new(function), callers: Vec::new() }.run(emitter)
}

/// Walks over one loop, from its header to its back edge.
///
/// # Panics
/// If the function has no loop with this number.
pub fn walk_loop<'f, E: Emitter<'f>>(function: &'f Function, loop_number: usize, emitter: &mut E) {
    let mut current = Position::new(function);
    let facts = &current.facts.loops[loop_number];
    current.next = facts.header.index();
    current.end = facts.next.index() + 1;
    current.n_regions = facts.bracket;
    current.n_loops = loop_number;
    for &variable in &facts.variables(function) {
        current.liveness.set(variable);
    }
    Walk { current, callers: Vec::new() }.run(emitter);
}

/// A position in a function and its inlinees.
struct Walk<'f, E: Emitter<'f>> {
    current: Position<'f, E>,
    /// The callers of the current inlinee, outermost first.
    callers: Vec<Position<'f, E>>,
}

impl<'f, E: Emitter<'f>> Walk<'f, E> {
    /// Walks to the end. Returns whether the end is reachable.
    fn run(mut self, emitter: &mut E) -> bool {
        loop {
            if self.current.next < self.current.end {
                if let Some(inlinee) = self.current.step(emitter) {
                    let caller = std::mem::replace(&mut self.current, Position::new(inlinee));
                    self.callers.push(caller);
                }
                continue;
            }
            let Some(caller) = self.callers.pop() else { return self.current.is_reachable };
            emitter.end_inlinee(self.current.is_reachable);
            self.current = caller;
        }
    }
}

/// Emits an operation that neither branches, nor calls, nor traps. Returns whether the operation is
/// one.
#[inline]
pub fn emit_simple<'f>(op: Op, emitter: &mut impl Emitter<'f>) -> bool {
    match op {
        Op::Number(number) => emitter.number(number),
        Op::Get(variable) => emitter.get(variable),
        Op::Set(variable) => emitter.set(variable),
        Op::GetHost(variable) => emitter.get_host(variable),
        Op::SetHost(variable) => emitter.set_host(variable),
        Op::Drop => emitter.drop_value(),
        Op::Arithmetic(arithmetic) => emitter.arithmetic(arithmetic),
        Op::Square => emitter.square(),
        Op::GetElement(_)
        | Op::SetElement(_)
        | Op::Call { .. }
        | Op::TailCall
        | Op::If { .. }
        | Op::Else { .. }
        | Op::End
        | Op::Loop
        | Op::Next { .. } => return false,
    }
    true
}

/// A position in one function.
struct Position<'f, E: Emitter<'f>> {
    function: &'f Function,
    facts: &'f Facts,
    /// The next operation, and the operation to stop before.
    next: usize,
    end: usize,
    is_reachable: bool,
    open: Vec<OpenRegion<'f, E>>,
    n_regions: usize,
    n_loops: usize,
    liveness: Liveness,
}

/// A region whose end has not been reached.
struct OpenRegion<'f, E: Emitter<'f>> {
    region: Region<'f>,
    /// The number of variables that were set before it.
    n_set: usize,
    state: RegionState<'f, E>,
}

enum RegionState<'f, E: Emitter<'f>> {
    If {
        state: E::If,
        /// Whether the end of the first branch is reachable, once it has ended.
        first: bool,
    },
    Loop {
        state: E::Loop,
        number: usize,
    },
}

impl<'f, E: Emitter<'f>> Position<'f, E> {
    fn new(function: &'f Function) -> Self {
        Self {
            function,
            facts: function.facts(),
            next: 0,
            end: function.ops.len(),
            is_reachable: true,
            open: Vec::new(),
            n_regions: 0,
            n_loops: 0,
            liveness: Liveness::new(function),
        }
    }

    /// Emits the next operation. Returns the inlinee if it is a call to continue in.
    fn step(&mut self, emitter: &mut E) -> Option<&'f Function> {
        let at = OpIdx::new(self.next as u32);
        self.next += 1;
        emitter.begin_op(at);
        match self.function.ops[at.index()] {
            op @ (Op::Number(_)
            | Op::GetHost(_)
            | Op::SetHost(_)
            | Op::Drop
            | Op::Arithmetic(_)
            | Op::Square) => {
                emit_simple(op, emitter);
            }
            Op::Get(variable) => {
                self.liveness.read(variable, at);
                emitter.get(variable);
            }
            Op::Set(variable) => {
                emitter.set(variable);
                self.liveness.set(variable);
            }
            Op::GetElement(array) => emitter.get_element(at, array),
            Op::SetElement(array) => emitter.set_element(at, array),
            Op::Call { callee, n_args } => return emitter.call(at, callee, n_args as usize),
            Op::TailCall => {
                emitter.tail_call();
                self.is_reachable = false;
            }
            Op::If { .. } => {
                let region = self.next_region(at);
                let state = RegionState::If { state: emitter.begin_if(region), first: false };
                self.open.push(OpenRegion { region, n_set: self.liveness.n_set(), state });
            }
            Op::Else { .. } => self.begin_else(emitter),
            Op::End => self.end_if(emitter),
            Op::Loop => {
                let region = self.next_region(at);
                let state = emitter.begin_loop(region);
                let state = RegionState::Loop { state, number: self.n_loops };
                self.n_loops += 1;
                self.open.push(OpenRegion { region, n_set: self.liveness.n_set(), state });
            }
            Op::Next { variable, .. } => self.end_loop(emitter, variable, at),
        }
        None
    }

    fn next_region(&mut self, header: OpIdx) -> Region<'f> {
        let number = self.n_regions;
        self.n_regions += 1;
        Region { number, header, assigned: &self.facts.assigned[number] }
    }

    fn begin_else(&mut self, emitter: &mut E) {
        let Some(OpenRegion { region, n_set, state: RegionState::If { state, first } }) =
            self.open.last_mut()
        else {
            unmatched()
        };
        *first = self.is_reachable;
        emitter.begin_else(state, *region, self.is_reachable);
        self.is_reachable = true;
        self.liveness.leave(*n_set);
    }

    fn end_if(&mut self, emitter: &mut E) {
        let Some(OpenRegion { region, n_set, state: RegionState::If { state, first } }) = self.open.pop()
        else {
            unmatched()
        };
        self.liveness.leave(n_set);
        let join = match (first, self.is_reachable) {
            (true, true) => Join::Both,
            (true, false) => Join::First,
            (false, true) => Join::Second,
            (false, false) => Join::Neither,
        };
        emitter.end_if(state, region, join);
        self.is_reachable = join != Join::Neither;
    }

    fn end_loop(&mut self, emitter: &mut E, variable: Local, at: OpIdx) {
        let Some(OpenRegion { region, n_set, state: RegionState::Loop { state, number } }) = self.open.pop()
        else {
            unmatched()
        };
        self.liveness.leave(n_set);
        self.liveness.read(variable, at);
        let back_edge =
            BackEdge { loop_number: number, variable, header: region.header, liveness: &self.liveness };
        emitter.end_loop(state, region, back_edge);
    }
}

#[cold]
fn unmatched() -> ! {
    unreachable!("promise 1 of a function: brackets match")
}

/// The variables that are set at the current position, and where each was read last.
#[derive(Debug)]
struct Liveness {
    /// The variables that are set, in the order in which they were set, parameters first.
    set: Vec<Local>,
    /// For each variable, whether it is set.
    is_set: Vec<bool>,
    /// For each variable, the position of the last operation that read it.
    last_read: Vec<OpIdx>,
}

impl Liveness {
    fn new(function: &Function) -> Self {
        let n_params = function.n_params as usize;
        Self {
            set: (0..function.n_params).map(Local::new).collect(),
            is_set: (0..function.locals.len()).map(|index| index < n_params).collect(),
            last_read: vec![OpIdx::new(0); function.locals.len()],
        }
    }

    fn read(&mut self, variable: Local, at: OpIdx) {
        self.last_read[variable.index()] = at;
    }

    fn set(&mut self, variable: Local) {
        if !std::mem::replace(&mut self.is_set[variable.index()], true) {
            self.set.push(variable);
        }
    }

    fn n_set(&self) -> usize {
        self.set.len()
    }

    /// Leaves a region: only the first `n_set` variables are still set.
    fn leave(&mut self, n_set: usize) {
        for variable in self.set.drain(n_set..) {
            self.is_set[variable.index()] = false;
        }
    }

    /// The variables that are set and were read behind this position.
    fn read_since(&self, at: OpIdx) -> impl Iterator<Item = Local> {
        self.set.iter().copied().filter(move |variable| self.last_read[variable.index()] > at)
    }
}

#[cfg(test)]
mod tests;
