//! The walk that finds calls of maths functions with constant arguments, and makes them.

#[cfg(test)]
mod tests;

use super::{CallTarget, Instance, KnownMaths, Unit};
use crate::walk::{BackEdge, Emitter, Join, Region, walk};
use crate::{Arithmetic, Function, FunctionId, HostArray, HostVariable, Local, MathsFunction, Op, OpIdx};

impl KnownMaths {
    /// Makes the calls of a unit whose arguments are constants.
    pub fn of(unit: &Unit, call: impl Fn(MathsFunction, &[f64]) -> f64) -> Self {
        if unit.inlining.is_none() && !may_have_constant_calls(unit) {
            return Self::default();
        }
        let instances = unit.instances();
        let variables = vec![None; unit.function.locals.len()];
        let mut constants = Constants {
            unit,
            instances: &instances,
            frames: vec![Frame { instance: 0, variables }],
            stack: Vec::new(),
            call,
            known: KnownMaths::default(),
        };
        walk(&unit.function, &mut constants);
        constants.known
    }
}

/// Whether the last argument of a call of a maths function may be a constant. Most functions have
/// no such call, and a walk would take a good part of the time of a baseline compile.
fn may_have_constant_calls(unit: &Unit) -> bool {
    let ops = &unit.function.ops;
    let before = |at: usize, back: usize| at.checked_sub(back).map(|at| ops[at]);
    // What may leave a constant, besides a number.
    let computes = |op: Op| matches!(op.stack_effect(0), (1.., 1)) && op.local().is_none();
    let may_be_constant = |op: Option<Op>| op.is_some_and(|op| is_number(op) || computes(op));
    let has_constant = |at: usize| {
        let operands_are_constant = || match before(at, 2) {
            Some(right) if is_number(right) => may_be_constant(before(at, 3)),
            right => may_be_constant(right),
        };
        let is_binary = before(at, 1).is_some_and(|op| op.stack_effect(0) == (2, 1));
        may_be_constant(before(at, 1)) && (!is_binary || operands_are_constant())
    };
    let is_maths = |callee| matches!(unit.call_targets.get(&callee), Some(CallTarget::Maths { .. }));
    ops.iter().enumerate().any(|(at, &op)| {
        let calls = op.callee().is_some_and(is_maths) || op == Op::Arithmetic(Arithmetic::Power);
        calls && has_constant(at)
    })
}

fn is_number(op: Op) -> bool {
    let Op::Number(_) = op else { return false };
    true
}

/// A value; `None` if it is not known.
type Constant = Option<f64>;

/// Walks over a unit and tracks which values are constants.
struct Constants<'a, C> {
    unit: &'a Unit,
    instances: &'a [Instance<'a>],
    /// The function and the inlinees around the current operation, outermost first.
    frames: Vec<Frame>,
    stack: Vec<Constant>,
    call: C,
    known: KnownMaths,
}

struct Frame {
    instance: usize,
    variables: Vec<Constant>,
}

/// An `if` whose end has not been reached.
struct OpenIf {
    before: Vec<Constant>,
    /// The value of the first branch, and what it assigned.
    first: Constant,
    variables: Vec<Constant>,
}

impl<C: Fn(MathsFunction, &[f64]) -> f64> Constants<'_, C> {
    fn variables(&mut self) -> &mut Vec<Constant> {
        &mut self.frames.last_mut().expect("the function itself has a frame").variables
    }

    fn pop(&mut self) -> Constant {
        self.stack.pop().expect("operations find their operands (promise 2)")
    }

    fn assigned(&mut self, region: Region<'_>) -> Vec<Constant> {
        let variables = self.variables();
        region.assigned.iter().map(|variable| variables[variable.index()]).collect()
    }

    fn assign(&mut self, region: Region<'_>, values: &[Constant]) {
        let variables = self.variables();
        for (variable, &value) in region.assigned.iter().zip(values) {
            variables[variable.index()] = value;
        }
    }

    fn forget(&mut self, region: Region<'_>) {
        let unknown = vec![None; region.assigned.len()];
        self.assign(region, &unknown);
    }

    /// Makes the call, unless that was done before. `None` if an argument is not known.
    fn maths(&mut self, function: MathsFunction, args: &[Constant]) -> Constant {
        let args: Vec<f64> = args.iter().copied().collect::<Option<_>>()?;
        Some(self.known.result_or_call(function, &args, || (self.call)(function, &args)))
    }
}

/// The constant if both are the same one.
fn common(one: Constant, other: Constant) -> Constant {
    one.filter(|one| other.is_some_and(|other| other.to_bits() == one.to_bits()))
}

impl<'a, C: Fn(MathsFunction, &[f64]) -> f64> Emitter<'a> for Constants<'a, C> {
    type If = OpenIf;
    type Loop = ();

    fn number(&mut self, number: f64) {
        self.stack.push(Some(number));
    }

    fn get(&mut self, variable: Local) {
        let value = self.variables()[variable.index()];
        self.stack.push(value);
    }

    fn set(&mut self, variable: Local) {
        let value = *self.stack.last().expect("operations find their operands (promise 2)");
        self.variables()[variable.index()] = value;
    }

    fn get_host(&mut self, _: HostVariable) {
        self.stack.push(None);
    }

    fn set_host(&mut self, _: HostVariable) {}

    fn get_element(&mut self, _: OpIdx, _: HostArray) {
        self.pop();
        self.stack.push(None);
    }

    fn set_element(&mut self, _: OpIdx, _: HostArray) {
        let value = self.pop();
        self.pop();
        self.stack.push(value);
    }

    fn drop_value(&mut self) {
        self.pop();
    }

    fn arithmetic(&mut self, arithmetic: Arithmetic) {
        let right = self.pop();
        let left = self.pop();
        let value = if arithmetic == Arithmetic::Power {
            self.maths(MathsFunction::Pow, &[left, right])
        } else {
            let values = left.zip(right);
            values.map(|(left, right)| arithmetic.apply(left, right, |_, _| unreachable!("no power")))
        };
        self.stack.push(value);
    }

    fn square(&mut self) {
        let value = self.pop();
        self.stack.push(value.map(|x| x * x));
    }

    fn call(&mut self, at: OpIdx, callee: FunctionId, n_args: usize) -> Option<&'a Function> {
        let args = self.stack.split_off(self.stack.len() - n_args);
        let instance = self.frames.last().expect("the function itself has a frame").instance;
        if let Some(inlinee) = self.instances[instance].inlined(at) {
            let function = self.instances[inlinee].function;
            let mut variables = args;
            // Behind a tail call, the parameters have other values.
            if function.facts().has_tail_call {
                variables.fill(None);
            }
            variables.resize(function.locals.len(), None);
            self.frames.push(Frame { instance: inlinee, variables });
            return Some(function);
        }
        let value = match self.unit.call_target(callee) {
            CallTarget::Maths { function, .. } => self.maths(function, &args),
            CallTarget::Slot { .. } => None,
        };
        self.stack.push(value);
        None
    }

    fn end_inlinee(&mut self, is_reachable: bool) {
        self.frames.pop();
        if !is_reachable {
            self.stack.push(None);
        }
    }

    fn tail_call(&mut self) {
        let instance = self.frames.last().expect("the function itself has a frame").instance;
        let n_params = self.instances[instance].function.n_params as usize;
        self.stack.truncate(self.stack.len() - n_params);
    }

    fn begin_if(&mut self, region: Region<'a>) -> OpenIf {
        self.pop();
        OpenIf { before: self.assigned(region), first: None, variables: Vec::new() }
    }

    fn begin_else(&mut self, open: &mut OpenIf, region: Region<'a>, is_reachable: bool) {
        if is_reachable {
            open.first = self.pop();
            open.variables = self.assigned(region);
        }
        self.assign(region, &open.before);
    }

    fn end_if(&mut self, open: OpenIf, region: Region<'a>, join: Join) {
        let OpenIf { first, variables, .. } = open;
        match join {
            Join::Both => {
                let second = self.pop();
                self.stack.push(common(first, second));
                let others = self.assigned(region);
                let joined: Vec<_> =
                    variables.into_iter().zip(others).map(|(one, other)| common(one, other)).collect();
                self.assign(region, &joined);
            }
            Join::First => {
                self.stack.push(first);
                self.assign(region, &variables);
            }
            Join::Second | Join::Neither => {}
        }
    }

    fn begin_loop(&mut self, region: Region<'a>) {
        self.forget(region);
    }

    fn end_loop(&mut self, (): (), region: Region<'a>, _: BackEdge<'_>) {
        self.pop();
        self.pop();
        self.forget(region);
    }
}
