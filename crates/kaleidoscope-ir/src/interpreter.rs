//! The reference evaluator: slow, obviously right, the oracle of every other way to run a program.
//!
//! One loop over the operations, with the values, variables and calls on stacks of its own; so the depth of calls is
//! limited by [`StackLimit`] and never by the thread. What a function id means is asked at each call, since a `def` may
//! have changed it. The maths functions come from the host, so that all modes call the same ones.

use std::sync::Arc;

use crate::maths::MathsFunction;
use crate::{Arithmetic, Function, FunctionId, HostVariable, Local, Op, OpIdx};

/// What stands behind a function id at the moment of a call.
#[derive(Clone, Debug)]
pub enum Callee {
    /// A function of the program.
    Function(Arc<Function>),
    /// A function of the C maths library.
    Maths(MathsFunction),
    /// A function of the host.
    Host,
}

/// Why the evaluator itself stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next call would exceed the stack.
    StackOverflow {
        /// The function that was called.
        function: Arc<str>,
    },
    /// [`Environment::stop_requested`] said so.
    Interrupted,
}

/// What the evaluator asks of its host.
pub trait Environment {
    /// Why an evaluation ends early.
    type Trap: From<Fault>;

    /// What the id means now.
    ///
    /// # Errors
    /// When nothing can be called there: undefined, replaced, not provided.
    fn callee(&self, id: FunctionId) -> Result<Callee, Self::Trap>;

    /// Calls a maths function; `args` are as many as it takes.
    fn maths(&self, function: MathsFunction, args: &[f64]) -> f64;

    /// Calls a function of the host.
    ///
    /// # Errors
    /// Whatever ends the evaluation.
    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Self::Trap>;

    /// The value of a variable of the host.
    fn variable(&self, variable: HostVariable) -> f64;

    /// Gives a variable of the host another value.
    fn set_variable(&self, variable: HostVariable, value: f64);

    /// Whether the evaluation is to stop; asked at every call and every turn of a loop.
    fn stop_requested(&self) -> bool;
}

/// How much memory the calls that are active at once may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackLimit {
    /// Bytes: of each call its variables, the most values it has at once, and where it returns to.
    pub bytes: usize,
}

/// The value of a call of `function`.
///
/// # Errors
/// When the environment or the limit ends it early.
///
/// # Panics
/// When `args` are not as many as the function has parameters, or the function does not keep its promises.
pub fn evaluate<E: Environment + ?Sized>(
    env: &E,
    function: &Arc<Function>,
    args: &[f64],
    limit: StackLimit,
) -> Result<f64, E::Trap> {
    assert_eq!(args.len(), function.n_params as usize, "arguments of `{}`", function.name);
    let mut values = Vec::with_capacity(args.len() + function.max_stack as usize);
    values.extend_from_slice(args);
    let frame = Frame { function: Arc::clone(function), next: 0, base: 0 };
    let mut machine = Machine { env, limit, n_bytes: 0, callers: Vec::new(), frame, values };
    machine.make_room()?;
    machine.run()
}

/// An active call. Its variables lie in `Machine::values` from `base`, its values above them.
struct Frame {
    function: Arc<Function>,
    next: usize,
    base: usize,
}

struct Machine<'e, E: ?Sized> {
    env: &'e E,
    limit: StackLimit,
    n_bytes: usize,
    /// The calls that wait for the one in `frame`, outermost first.
    callers: Vec<Frame>,
    frame: Frame,
    values: Vec<f64>,
}

impl<E: Environment + ?Sized> Machine<'_, E> {
    fn run(&mut self) -> Result<f64, E::Trap> {
        loop {
            let Some(&op) = self.frame.function.ops.get(self.frame.next) else {
                let result = self.pop();
                self.values.truncate(self.frame.base);
                self.n_bytes -= frame_bytes(&self.frame.function);
                let Some(caller) = self.callers.pop() else {
                    return Ok(result);
                };
                self.frame = caller;
                self.values.push(result);
                continue;
            };
            self.frame.next += 1;
            self.step(op)?;
        }
    }

    fn step(&mut self, op: Op) -> Result<(), E::Trap> {
        match op {
            Op::Number(value) => self.values.push(value),
            Op::Get(local) => {
                let value = *self.local(local);
                self.values.push(value);
            }
            Op::Set(local) => {
                let value = self.top();
                *self.local(local) = value;
            }
            Op::GetHost(variable) => self.values.push(self.env.variable(variable)),
            Op::SetHost(variable) => self.env.set_variable(variable, self.top()),
            Op::Drop => {
                self.pop();
            }
            Op::Arithmetic(arithmetic) => {
                let right = self.pop();
                let left = self.pop();
                let value = self.arithmetic(arithmetic, left, right);
                self.values.push(value);
            }
            Op::Square => {
                let value = self.pop();
                self.values.push(value * value);
            }
            Op::Call { callee, n_args } => self.call(callee, n_args as usize)?,
            Op::TailCall => {
                self.check_stop()?;
                let n_params = self.frame.function.n_params as usize;
                let first = self.values.len() - n_params;
                self.values.copy_within(first.., self.frame.base);
                self.values.truncate(self.frame.base + self.frame.function.locals.len());
                self.frame.next = 0;
            }
            Op::If { otherwise } => {
                if !holds(self.pop()) {
                    self.go_behind(otherwise);
                }
            }
            Op::Else { end } => self.go_behind(end),
            Op::End | Op::Loop => {}
            Op::Next { variable, header } => {
                let condition = self.pop();
                let step = self.pop();
                *self.local(variable) += step;
                if holds(condition) {
                    self.check_stop()?;
                    self.go_behind(header);
                }
            }
        }
        Ok(())
    }

    fn arithmetic(&self, arithmetic: Arithmetic, left: f64, right: f64) -> f64 {
        match arithmetic {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide => left / right,
            Arithmetic::Power => self.env.maths(MathsFunction::Pow, &[left, right]),
            // Unordered or less: exactly when it is not greater or equal.
            Arithmetic::Less => f64::from(u8::from(!matches!(
                left.partial_cmp(&right),
                Some(std::cmp::Ordering::Greater | std::cmp::Ordering::Equal)
            ))),
        }
    }

    fn call(&mut self, callee: FunctionId, n_args: usize) -> Result<(), E::Trap> {
        self.check_stop()?;
        let first = self.values.len() - n_args;
        let result = match self.env.callee(callee)? {
            Callee::Function(function) => {
                let frame = Frame { function, next: 0, base: first };
                self.callers.push(std::mem::replace(&mut self.frame, frame));
                return self.make_room();
            }
            Callee::Maths(function) => self.env.maths(function, &self.values[first..]),
            Callee::Host => self.env.host(callee, &self.values[first..])?,
        };
        self.values.truncate(first);
        self.values.push(result);
        Ok(())
    }

    /// Makes room for the variables of the call that begins; the arguments, which lie there, are the first of them.
    fn make_room(&mut self) -> Result<(), E::Trap> {
        let function = &self.frame.function;
        self.n_bytes += frame_bytes(function);
        if self.n_bytes > self.limit.bytes {
            return Err(Fault::StackOverflow { function: Arc::clone(&function.name) }.into());
        }
        self.values.resize(self.frame.base + function.locals.len(), 0.0);
        Ok(())
    }

    fn check_stop(&self) -> Result<(), E::Trap> {
        if self.env.stop_requested() { Err(Fault::Interrupted.into()) } else { Ok(()) }
    }

    fn go_behind(&mut self, idx: OpIdx) {
        self.frame.next = idx.index() + 1;
    }

    fn local(&mut self, local: Local) -> &mut f64 {
        &mut self.values[self.frame.base + local.index()]
    }

    fn top(&self) -> f64 {
        *self.values.last().expect("operations find their operands")
    }

    fn pop(&mut self) -> f64 {
        self.values.pop().expect("operations find their operands")
    }
}

/// Bytes that an active call of this function takes.
fn frame_bytes(function: &Function) -> usize {
    size_of::<Frame>() + (function.locals.len() + function.max_stack as usize) * size_of::<f64>()
}

/// Whether a condition holds: it is ordered and not zero.
fn holds(condition: f64) -> bool {
    condition != 0.0 && !condition.is_nan()
}
