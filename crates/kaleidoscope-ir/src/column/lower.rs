//! Lowering: from a function and its inlinees to values that are each computed once.
//!
//! The walk ([`crate::walk`]) visits the operations in order. The operand stack and the variables
//! exist only here, as the values that are in them. `numbering.rs` computes each value once, and
//! `join.rs` decides what becomes of an `if`.

use super::join::EndedIf;
use super::node::{Branch, Node, Value};
use super::numbering::{Numbering, Position};
use super::operation::{Exact, Operation, Uniform};
use crate::compile::{CallTarget, Instance, Unit};
use crate::walk::{BackEdge, Emitter, Join, Region, walk};
use crate::{Arithmetic, Function, FunctionId, HostArray, HostVariable, Local, MathsFunction, OpIdx};
use std::mem::take;

/// A function that was lowered.
pub(super) struct Lowered {
    pub(super) uniforms: Vec<Uniform>,
    pub(super) nodes: Vec<Node>,
    pub(super) results: Vec<Value>,
}

/// The most forks inside each other. Each gathers values again, so a third takes as long as single
/// calls do.
const MAX_FORK_DEPTH: usize = 2;

/// The most `if`s inside each other. Where most of a long chain costs little, single calls are
/// faster: they jump behind the chain once they have found their branch.
const MAX_NESTED_IFS: usize = 32;

/// Lowers the unit. Returns `None` if it does not qualify.
pub(super) fn lower(unit: &Unit) -> Option<Lowered> {
    let instances = unit.instances();
    let assigns = |instance: &Instance<'_>| instance.function.facts().assigns_host_memory();
    if !unit.ends_soon() || instances.iter().any(assigns) {
        return None;
    }
    let mut lowering = Lowering::new(unit, &instances);
    walk(&unit.function, &mut lowering);
    let Lowering { stack: results, numbering, max_nested_ifs, .. } = lowering;
    if numbering.depth > MAX_FORK_DEPTH || max_nested_ifs > MAX_NESTED_IFS {
        return None;
    }
    Some(Lowered { uniforms: numbering.uniforms.all, nodes: numbering.nodes, results })
}

/// A function that is being lowered.
struct Lowering<'a> {
    unit: &'a Unit,
    instances: &'a [Instance<'a>],
    /// The function and the inlinees around the current operation, outermost first.
    frames: Vec<Frame>,
    stack: Vec<Value>,
    numbering: Numbering,
    /// The `if`s around the current operation, and the most of all operations so far.
    n_nested_ifs: usize,
    max_nested_ifs: usize,
}

struct Frame {
    instance: usize,
    /// The value of each variable. `None` until it is set.
    variables: Vec<Option<Value>>,
}

/// An `if` whose end has not been reached.
struct OpenIf {
    condition: Value,
    /// What was known of the code around it when it began.
    cost: usize,
    depth: usize,
    /// The values that the variables assigned in it had.
    variables: Vec<Option<Value>>,
    start: Position,
    /// The end of the first branch, and what it passes to the join.
    middle: Position,
    then: Branch,
}

impl<'a> Lowering<'a> {
    fn new(unit: &'a Unit, instances: &'a [Instance<'a>]) -> Self {
        let n_params = unit.function.n_params;
        let mut numbering = Numbering::default();
        let parameter = |param| match unit.scalars.contains(param as usize) {
            true => Some(numbering.uniforms.value(Uniform::Scalar(param))),
            false => Some(Value::Param(param)),
        };
        let mut variables: Vec<_> = (0..n_params).map(parameter).collect();
        variables.resize(unit.function.locals.len(), None);
        Self {
            unit,
            instances,
            frames: vec![Frame { instance: 0, variables }],
            stack: Vec::new(),
            numbering,
            n_nested_ifs: 0,
            max_nested_ifs: 0,
        }
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the function itself has a frame")
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().expect("operations find their operands (promise 2)")
    }

    /// Ends a branch that began at a position. Its results are not known behind it. Returns it
    /// without its nodes, which stay where they are.
    fn end_branch(&mut self, region: Region<'_>, start: Position) -> Branch {
        self.numbering.forget(start);
        let value = self.pop();
        let variables = &self.frame().variables;
        let assigned = region.assigned.iter().map(|variable| {
            variables[variable.index()].expect("what a region assigns was set before it (promise 3)")
        });
        let values = std::iter::once(value).chain(assigned).collect();
        let Numbering { cost, depth, .. } = &mut self.numbering;
        Branch { nodes: Vec::new(), values, cost: take(cost), depth: take(depth) }
    }

    /// The values of the variables that the region assigns.
    fn assigned(&mut self, region: Region<'_>) -> Vec<Option<Value>> {
        let variables = &self.frame().variables;
        region.assigned.iter().map(|variable| variables[variable.index()]).collect()
    }

    fn assign(&mut self, region: Region<'_>, values: impl IntoIterator<Item = Option<Value>>) {
        let variables = &mut self.frame().variables;
        for (variable, value) in region.assigned.iter().zip(values) {
            variables[variable.index()] = value;
        }
    }
}

impl<'a> Emitter<'a> for Lowering<'a> {
    type If = OpenIf;
    type Loop = ();

    fn number(&mut self, number: f64) {
        let value = self.numbering.uniforms.value(Uniform::Number(number.to_bits()));
        self.stack.push(value);
    }

    fn get(&mut self, variable: Local) {
        let value = self.frame().variables[variable.index()];
        self.stack.push(value.expect("a variable is set before it is read (promise 3)"));
    }

    fn set(&mut self, variable: Local) {
        let value = *self.stack.last().expect("operations find their operands (promise 2)");
        self.frame().variables[variable.index()] = Some(value);
    }

    fn get_host(&mut self, variable: HostVariable) {
        let value = self.numbering.uniforms.value(Uniform::Variable(variable));
        self.stack.push(value);
    }

    fn set_host(&mut self, _: HostVariable) {
        unreachable!("the functions assign no host variable")
    }

    fn get_element(&mut self, _: OpIdx, array: HostArray) {
        let index = self.pop();
        let value = self.numbering.gather(array, index);
        self.stack.push(value);
    }

    fn set_element(&mut self, _: OpIdx, _: HostArray) {
        unreachable!("the functions assign no element")
    }

    fn drop_value(&mut self) {
        self.pop();
    }

    fn arithmetic(&mut self, arithmetic: Arithmetic) {
        let right = self.pop();
        let left = self.pop();
        let value = match arithmetic {
            Arithmetic::Power => self.numbering.maths(MathsFunction::Pow, &[left, right]),
            Arithmetic::Add
            | Arithmetic::Subtract
            | Arithmetic::Multiply
            | Arithmetic::Divide
            | Arithmetic::Less => self.numbering.value(Operation::Arithmetic(arithmetic, left, right)),
        };
        self.stack.push(value);
    }

    fn square(&mut self) {
        let x = self.pop();
        let value = self.numbering.value(Operation::Exact(Exact::Square, x));
        self.stack.push(value);
    }

    fn call(&mut self, at: OpIdx, callee: FunctionId, n_args: usize) -> Option<&'a Function> {
        let args = self.stack.split_off(self.stack.len() - n_args);
        let (instances, instance) = (self.instances, self.frame().instance);
        if let Some(inlinee) = instances[instance].inlined(at) {
            let function = instances[inlinee].function;
            let mut variables: Vec<_> = args.into_iter().map(Some).collect();
            variables.resize(function.locals.len(), None);
            self.frames.push(Frame { instance: inlinee, variables });
            return Some(function);
        }
        let CallTarget::Maths { function, .. } = self.unit.call_target(callee) else {
            unreachable!("the functions call only maths functions")
        };
        let value = self.numbering.maths(function, &args);
        self.stack.push(value);
        None
    }

    fn end_inlinee(&mut self, _: bool) {
        self.frames.pop();
    }

    fn tail_call(&mut self) {
        unreachable!("the functions have no tail calls")
    }

    fn begin_if(&mut self, region: Region<'a>) -> OpenIf {
        self.n_nested_ifs += 1;
        self.max_nested_ifs = self.max_nested_ifs.max(self.n_nested_ifs);
        OpenIf {
            condition: self.pop(),
            cost: take(&mut self.numbering.cost),
            depth: take(&mut self.numbering.depth),
            variables: self.assigned(region),
            start: self.numbering.position(),
            middle: self.numbering.position(),
            then: Branch::default(),
        }
    }

    fn begin_else(&mut self, state: &mut OpenIf, region: Region<'a>, _: bool) {
        state.then = self.end_branch(region, state.start);
        state.middle = self.numbering.position();
        self.assign(region, state.variables.iter().copied());
    }

    fn end_if(&mut self, state: OpenIf, region: Region<'a>, _: Join) {
        self.n_nested_ifs -= 1;
        let otherwise = self.end_branch(region, state.middle);
        let OpenIf { condition, cost, depth, start, middle, then, .. } = state;
        (self.numbering.cost, self.numbering.depth) = (cost, depth);
        let ended = EndedIf { condition, starts: [start, middle], branches: [then, otherwise] };
        let mut values = self.numbering.join(ended).into_iter();
        self.stack.extend(values.next());
        self.assign(region, values.map(Some));
    }

    fn begin_loop(&mut self, _: Region<'a>) {
        unreachable!("the functions have no loops")
    }

    fn end_loop(&mut self, (): (), _: Region<'a>, _: BackEdge<'_>) {
        unreachable!("the functions have no loops")
    }
}
