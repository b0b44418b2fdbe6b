//! A machine that runs functions operation by operation, and stops where optimized code can be
//! left. It shares no code with the interpreter.

use std::sync::Arc;

use kaleidoscope_ir::interpreter::{Callee, Environment, HostData, SuspendedFrame};
use kaleidoscope_ir::op::holds;
use kaleidoscope_ir::{Function, MathsFunction, Op, OpIdx};

use super::behind;
use super::host::Host;

pub(super) struct Machine<'a> {
    host: &'a Host,
    /// The active functions, outermost first.
    active: Vec<Active>,
}

struct Active {
    frame: SuspendedFrame,
    /// The loops around the next operation, outermost first, each with the number of operands below
    /// it.
    loops: Vec<(OpIdx, usize)>,
}

/// What an operation does besides.
enum Step {
    Continues,
    /// The code can be left now.
    IsAtPoint,
    /// The outermost function has returned.
    Ends,
}

impl<'a> Machine<'a> {
    pub(super) fn new(host: &'a Host, function: &Arc<Function>, args: &[f64]) -> Self {
        Self { host, active: vec![Active::new(function, args)] }
    }

    /// Runs to the end. Returns the number of points at which the code could have been left.
    pub(super) fn n_points(mut self) -> usize {
        let mut n_points = 0;
        loop {
            match self.step() {
                Step::Continues => {}
                Step::IsAtPoint => n_points += 1,
                Step::Ends => return n_points,
            }
        }
    }

    /// Runs to the point with this number.
    pub(super) fn run_to(&mut self, point: usize) {
        let mut n_left = point + 1;
        while n_left > 0 {
            n_left -= usize::from(matches!(self.step(), Step::IsAtPoint));
        }
    }

    pub(super) fn frames(&self) -> Vec<SuspendedFrame> {
        self.active.iter().map(|active| active.frame.clone()).collect()
    }

    /// The loops of the outermost function that have begun, each with the number of operands below
    /// it.
    pub(super) fn open_loops(&self) -> Vec<(OpIdx, usize)> {
        self.active[0].loops.clone()
    }

    fn step(&mut self) -> Step {
        let Active { frame, loops } = self.active.last_mut().expect("the run has not ended");
        let operands = &mut frame.operands;
        let mut pop = || operands.pop().expect("operations find their operands");
        let Some(&op) = frame.function.ops.get(frame.next.index()) else {
            let results = std::mem::take(operands);
            self.active.pop();
            return self.active.last_mut().map_or(Step::Ends, |caller| {
                caller.frame.operands.extend(results);
                Step::IsAtPoint
            });
        };
        let at = frame.next;
        frame.next = behind(at);
        match op {
            Op::Number(number) => operands.push(number),
            Op::Get(variable) => operands.push(frame.locals[variable.index()]),
            Op::Set(variable) => frame.locals[variable.index()] = operands[operands.len() - 1],
            Op::GetHost(variable) => operands.push(self.host.variable(variable)),
            Op::SetHost(variable) => self.host.set_variable(variable, operands[operands.len() - 1]),
            Op::GetElement(array) => {
                let index = pop();
                operands.push(self.host.element(array, index).expect("the run ends well"));
            }
            Op::SetElement(array) => {
                let (value, index) = (pop(), pop());
                self.host.set_element(array, index, value).expect("the run ends well");
                operands.push(value);
            }
            Op::Drop => {
                pop();
            }
            Op::Arithmetic(arithmetic) => {
                let (right, left) = (pop(), pop());
                let pow = |x, y| self.host.maths(MathsFunction::Pow, &[x, y]);
                operands.push(arithmetic.apply(left, right, pow));
            }
            Op::Square => {
                let value = pop();
                operands.push(value * value);
            }
            Op::Call { callee, n_args } => {
                let args = operands.split_off(operands.len() - n_args as usize);
                match self.host.callee(callee).expect("the run ends well") {
                    Callee::Function(function) => self.active.push(Active::new(&function, &args)),
                    _ => {
                        operands.push(self.host.host(callee, &args).expect("the run ends well"));
                        return Step::IsAtPoint;
                    }
                }
            }
            Op::TailCall => {
                let function = Arc::clone(&frame.function);
                let args = operands.split_off(operands.len() - function.n_params as usize);
                *self.active.last_mut().expect("as above") = Active::new(&function, &args);
                return Step::IsAtPoint;
            }
            Op::If { otherwise } => {
                if !holds(pop()) {
                    frame.next = behind(otherwise);
                }
            }
            Op::Else { end } => frame.next = behind(end),
            Op::End => {}
            Op::Loop => {
                loops.push((at, operands.len()));
                return Step::IsAtPoint;
            }
            Op::Next { variable, header } => {
                let (condition, step) = (pop(), pop());
                frame.locals[variable.index()] += step;
                if holds(condition) {
                    frame.next = behind(header);
                    return Step::IsAtPoint;
                }
                loops.pop();
            }
        }
        Step::Continues
    }
}

impl Active {
    /// A function that begins. Variables that are no parameters have no value yet.
    fn new(function: &Arc<Function>, args: &[f64]) -> Self {
        let mut locals = vec![f64::NAN; function.locals.len()];
        locals[..args.len()].copy_from_slice(args);
        let function = Arc::clone(function);
        let frame = SuspendedFrame { function, next: OpIdx::new(0), locals, operands: Vec::new() };
        Self { frame, loops: Vec::new() }
    }
}
