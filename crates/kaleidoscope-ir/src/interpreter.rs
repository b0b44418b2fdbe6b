//! Interpreter: runs the IR directly, as the engine's tier 0 and as the oracle of all other tiers.
//!
//! The interpreter is one loop over the operations. Values, variables and active calls are on
//! stacks of its own, so [`StackLimit`] limits the depth of calls, never the thread's stack. The
//! interpreter asks its [`Environment`] at each call what a function id means, because a function
//! may be redefined between two calls. The environment also calls the maths functions, so that all
//! tiers call the same.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::Arc;

use crate::array::BadIndex;
use crate::maths::MathsFunction;
use crate::op::holds;
use crate::{Arithmetic, Function, FunctionId, HostArray, HostVariable, Local, Op, OpIdx};

/// What a call of a function id means at the moment of the call.
#[derive(Clone, Debug)]
pub enum Callee {
    /// A function with a definition in the IR. The interpreter runs it.
    Function(Arc<Function>),
    /// A function of the C maths library: [`HostData::maths`] calls it.
    Maths(MathsFunction),
    /// Any other function: [`Environment::host`] calls it.
    Host,
}

/// Why the interpreter itself ends a run early.
#[derive(Clone, Debug, PartialEq)]
pub enum InterpreterTrap {
    /// A call would exceed the [`StackLimit`], or the memory of the process.
    StackOverflow {
        /// The function that was called.
        function: Arc<str>,
    },
    /// [`Environment::is_interrupted`] returned true.
    Interrupted,
    /// An index that means no element of its array.
    BadIndex {
        /// The index, and the array.
        index: BadIndex,
        /// The names of the active functions, innermost first. At most [`MAX_TRACE`].
        inside: Vec<Arc<str>>,
    },
}

/// What operations read, assign and compute outside the program, whoever runs the calls: host
/// variables, arrays and maths functions.
pub trait HostData {
    /// Why a run ends early.
    type Trap;

    /// Calls a maths function with as many arguments as it has parameters.
    fn maths(&self, function: MathsFunction, args: &[f64]) -> f64;

    /// Asked before a power is computed, which calls a maths function without asking for a callee.
    ///
    /// # Errors
    /// Maths functions cannot be called.
    fn check_maths(&self) -> Result<(), Self::Trap> {
        Ok(())
    }

    /// Reads a host variable.
    fn variable(&self, variable: HostVariable) -> f64;

    /// Assigns a host variable.
    fn set_variable(&self, variable: HostVariable, value: f64);

    /// Reads an element of an array of the host.
    ///
    /// # Errors
    /// The index means no element.
    fn element(&self, array: HostArray, index: f64) -> Result<f64, BadIndex>;

    /// Assigns an element of an array of the host.
    ///
    /// # Errors
    /// The index means no element.
    fn set_element(&self, array: HostArray, index: f64, value: f64) -> Result<(), BadIndex>;
}

/// What the interpreter asks for while it runs.
pub trait Environment {
    /// Why a run ends early.
    type Trap: From<InterpreterTrap>;

    /// Type of [`data`](Self::data).
    type Data: HostData<Trap = Self::Trap>;

    /// Host variables, arrays and maths functions.
    fn data(&self) -> &Self::Data;

    /// What a call of a function means now.
    ///
    /// # Errors
    /// The function cannot be called: it is undefined, replaced or not provided.
    fn callee(&self, id: FunctionId) -> Result<Callee, Self::Trap>;

    /// Calls a function whose target is [`Callee::Host`].
    ///
    /// # Errors
    /// Whatever ends the run.
    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Self::Trap>;

    /// Whether the run must stop. The interpreter asks at every call and every back edge.
    fn is_interrupted(&self) -> bool;

    /// A trap ends the run inside these functions, innermost first, at most [`MAX_TRACE`]. The trap
    /// may have names of functions that they called.
    fn add_active(&self, _trap: &mut Self::Trap, _active: &mut dyn Iterator<Item = Arc<str>>) {}

    /// Offers to replace a loop, as an engine does by OSR. The interpreter asks before each
    /// iteration. `is_first` tells the first iteration from those behind a back edge.
    ///
    /// Returns whether the environment ran the loop to its end, with the `variables` that the loop
    /// assigns updated. The interpreter then continues behind the loop. Otherwise the environment
    /// may have run some iterations: the variables are those at the beginning of the next one.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn replace_loop(
        &self,
        _frame: Depth,
        _header: OpIdx,
        _is_first: bool,
        _variables: &mut [f64],
    ) -> Result<bool, Self::Trap> {
        Ok(false)
    }

    /// Offers to replace the rest of a function that is about to call itself in tail position. The
    /// interpreter asks at each tail call.
    ///
    /// Returns the function's value if the environment computed it.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn replace_tail_call(&self, _frame: Depth, _args: &[f64]) -> Result<Option<f64>, Self::Trap> {
        Ok(None)
    }
}

/// Whether the interpreter is asking for memory on this thread. Where there is none, the run ends
/// by [`InterpreterTrap::StackOverflow`].
///
/// For global allocators that end the process instead of returning null.
pub fn is_growing() -> bool {
    IS_GROWING.get()
}

thread_local! {
    static IS_GROWING: Cell<bool> = const { Cell::new(false) };
}

/// Makes room for more values. Returns `false` where memory is missing.
fn grow<T>(values: &mut Vec<T>, n_more: usize) -> bool {
    values.capacity() - values.len() >= n_more || reallocate(values, n_more)
}

#[cold]
fn reallocate<T>(values: &mut Vec<T>, n_more: usize) -> bool {
    IS_GROWING.set(true);
    let reserved = values.try_reserve(n_more);
    IS_GROWING.set(false);
    reserved.is_ok()
}

/// The most functions that a trap of the interpreter names.
pub const MAX_TRACE: usize = 32;

/// The number of calls around a function that is being interpreted: 0 for the outermost.
pub type Depth = usize;

/// A function that has begun to run, with all that its completion needs.
#[derive(Clone, Debug, PartialEq)]
pub struct SuspendedFrame {
    /// The function.
    pub function: Arc<Function>,
    /// The operation to continue at. If another frame follows, the operation behind the call: the
    /// arguments are off the stack, and the result is not on it yet.
    pub next: OpIdx,
    /// A value for each local.
    pub locals: Vec<f64>,
    /// The operands on the function's stack, the lowest first.
    pub operands: Vec<f64>,
}

/// How [`resume_loop`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopOutcome {
    /// The loop has ended.
    Ended,
    /// An iteration is about to begin.
    AtHeader,
}

/// How much memory the active calls may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackLimit {
    /// Bytes. Each active call counts with its variables, its [`max_stack`](Function::max_stack)
    /// values and its return position.
    pub bytes: usize,
}

/// Calls a function with one result and returns it.
///
/// # Errors
/// A trap of the environment, of the stack limit or of an interrupt.
///
/// # Panics
/// If `args` are not as many as the function has parameters, or the function breaks a promise of
/// [`Function`] or has several results.
pub fn interpret<E: Environment + ?Sized>(
    env: &E,
    function: &Arc<Function>,
    args: &[f64],
    limit: StackLimit,
) -> Result<f64, E::Trap> {
    let mut results = [0.0];
    interpret_results(env, function, args, &mut results, limit)?;
    Ok(results[0])
}

/// Calls a function with any number of results, and writes them to `results`.
///
/// # Errors
/// As [`interpret`]. No result is written then.
///
/// # Panics
/// If `args` or `results` are not as many as the function has parameters or results, or the
/// function breaks a promise of [`Function`].
pub fn interpret_results<E: Environment + ?Sized>(
    env: &E,
    function: &Arc<Function>,
    args: &[f64],
    results: &mut [f64],
    limit: StackLimit,
) -> Result<(), E::Trap> {
    assert_eq!(args.len(), function.n_params as usize, "arguments of `{}`", function.name);
    let frame = Frame { function: Arc::clone(function), next: 0, base: 0 };
    let values = args.to_vec();
    let mut machine = Machine { env, limit, n_bytes: 0, callers: Vec::new(), frame, values, stop_at: None };
    machine.allocate_variables()?;
    machine.run_to_results(results)
}

/// Completes functions that were suspended while each called the next, outermost first. Returns the
/// outermost function's value.
///
/// # Errors
/// As [`interpret`].
///
/// # Panics
/// If there are no frames, or they do not fit their functions, or a function breaks a promise of
/// [`Function`], or the outermost one has several results.
pub fn resume<E: Environment + ?Sized>(
    env: &E,
    frames: Vec<SuspendedFrame>,
    limit: StackLimit,
) -> Result<f64, E::Trap> {
    let mut results = [0.0];
    resume_results(env, frames, &mut results, limit)?;
    Ok(results[0])
}

/// As [`resume`], for an outermost function with any number of results.
///
/// # Errors
/// As [`interpret`]. No result is written then.
///
/// # Panics
/// As [`resume`], and if `results` are not as many as the outermost function has.
pub fn resume_results<E: Environment + ?Sized>(
    env: &E,
    frames: Vec<SuspendedFrame>,
    results: &mut [f64],
    limit: StackLimit,
) -> Result<(), E::Trap> {
    Machine::suspended(env, frames, limit)?.run_to_results(results)
}

/// Continues functions that were suspended inside a loop of the outermost one, up to the loop's
/// next back edge or end. `header` is the position of the `Loop`. Then `variables` are the
/// outermost function's locals.
///
/// # Errors
/// As [`interpret`].
///
/// # Panics
/// As [`resume`], and if the outermost frame is not inside the loop.
pub fn resume_loop<E: Environment + ?Sized>(
    env: &E,
    frames: Vec<SuspendedFrame>,
    header: OpIdx,
    variables: &mut [f64],
    limit: StackLimit,
) -> Result<LoopOutcome, E::Trap> {
    let mut machine = Machine::suspended(env, frames, limit)?;
    machine.stop_at = Some(header);
    let End::Loop(outcome) = machine.run()? else { panic!("the outermost frame is inside the loop") };
    variables.copy_from_slice(&machine.values[..variables.len()]);
    Ok(outcome)
}

/// How a run ends.
enum End {
    /// The results are all that is left of the values.
    Returned,
    Loop(LoopOutcome),
}

/// An active call. Its variables are in `Machine::values` from `base` on, its stack is above them.
struct Frame {
    function: Arc<Function>,
    /// The position of the next operation.
    next: usize,
    base: usize,
}

struct Machine<'e, E: ?Sized> {
    env: &'e E,
    limit: StackLimit,
    /// What the active calls take.
    n_bytes: usize,
    /// The calls that wait for the one in `frame`, outermost first.
    callers: Vec<Frame>,
    frame: Frame,
    values: Vec<f64>,
    /// The loop of the outermost function at whose back edge the run ends.
    stop_at: Option<OpIdx>,
}

impl<'e, E: Environment + ?Sized> Machine<'e, E> {
    fn suspended(env: &'e E, frames: Vec<SuspendedFrame>, limit: StackLimit) -> Result<Self, E::Trap> {
        let mut callers = Vec::with_capacity(frames.len());
        let mut values = Vec::new();
        let mut n_bytes = 0;
        for SuspendedFrame { function, next, locals, operands } in frames {
            assert_eq!(locals.len(), function.locals.len(), "locals of `{}`", function.name);
            n_bytes += frame_bytes(&function);
            let n_values = function.locals.len() + function.max_stack as usize;
            if n_bytes > limit.bytes || !grow(&mut values, n_values) {
                return Err(overflow(&function));
            }
            callers.push(Frame { function, next: next.index(), base: values.len() });
            values.extend(locals);
            values.extend(operands);
        }
        let frame = callers.pop().expect("there is a frame");
        Ok(Self { env, limit, n_bytes, callers, frame, values, stop_at: None })
    }

    fn run_to_results(&mut self, results: &mut [f64]) -> Result<(), E::Trap> {
        let End::Returned = self.run()? else { unreachable!("only `resume_loop` stops at a loop") };
        assert_eq!(results.len(), self.values.len(), "results of `{}`", self.frame.function.name);
        results.copy_from_slice(&self.values);
        Ok(())
    }

    fn run(&mut self) -> Result<End, E::Trap> {
        loop {
            let Some(&op) = self.frame.function.ops.get(self.frame.next) else {
                // A function that is called has one result.
                let n_results =
                    if self.callers.is_empty() { self.frame.function.n_results as usize } else { 1 };
                let first = self.values.len() - n_results;
                self.values.copy_within(first.., self.frame.base);
                self.values.truncate(self.frame.base + n_results);
                self.n_bytes -= frame_bytes(&self.frame.function);
                let Some(caller) = self.callers.pop() else { return Ok(End::Returned) };
                self.frame = caller;
                continue;
            };
            self.frame.next += 1;
            if let Some(outcome) = self.step(op)? {
                return Ok(End::Loop(outcome));
            }
        }
    }

    /// Runs one operation. Returns how the loop goes on if it is the one to stop at.
    fn step(&mut self, op: Op) -> Result<Option<LoopOutcome>, E::Trap> {
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
            Op::GetHost(variable) => self.values.push(self.env.data().variable(variable)),
            Op::SetHost(variable) => self.env.data().set_variable(variable, self.top()),
            Op::GetElement(array) => {
                let index = self.pop();
                let value = self.env.data().element(array, index).map_err(|index| self.bad_index(index))?;
                self.values.push(value);
            }
            Op::SetElement(array) => {
                let value = self.pop();
                let index = self.pop();
                self.env.data().set_element(array, index, value).map_err(|index| self.bad_index(index))?;
                self.values.push(value);
            }
            Op::Drop => {
                self.pop();
            }
            Op::Arithmetic(arithmetic) => {
                if arithmetic == Arithmetic::Power {
                    self.env.data().check_maths()?;
                }
                let right = self.pop();
                let left = self.pop();
                let pow = |x, y| self.env.data().maths(MathsFunction::Pow, &[x, y]);
                let value = arithmetic.apply(left, right, pow);
                self.values.push(value);
            }
            Op::Square => {
                let value = self.pop();
                self.values.push(value * value);
            }
            Op::Call { callee, n_args } => self.call(callee, n_args as usize)?,
            Op::TailCall => {
                self.check_interrupt()?;
                let n_params = self.frame.function.n_params as usize;
                let first = self.values.len() - n_params;
                let replaced = match self.frame.function.n_results {
                    1 => self.env.replace_tail_call(self.callers.len(), &self.values[first..])?,
                    // An environment has no code that returns several values.
                    _ => None,
                };
                self.values.copy_within(first.., self.frame.base);
                self.values.truncate(self.frame.base + self.frame.function.locals.len());
                self.frame.next = 0;
                if let Some(value) = replaced {
                    self.values.push(value);
                    self.frame.next = self.frame.function.ops.len();
                }
            }
            Op::If { otherwise } => {
                if !holds(self.pop()) {
                    self.continue_behind(otherwise);
                }
            }
            Op::Else { end } => self.continue_behind(end),
            Op::End => {}
            Op::Loop => self.begin_iteration(OpIdx::new(self.frame.next as u32 - 1), true)?,
            Op::Next { variable, header } => {
                let condition = self.pop();
                let step = self.pop();
                *self.local(variable) += step;
                let is_more = holds(condition);
                if self.stop_at == Some(header) && self.callers.is_empty() {
                    return Ok(Some(if is_more { LoopOutcome::AtHeader } else { LoopOutcome::Ended }));
                }
                if is_more {
                    self.check_interrupt()?;
                    self.continue_behind(header);
                    self.begin_iteration(header, false)?;
                }
            }
        }
        Ok(None)
    }

    /// Continues behind the loop if the environment replaces it.
    fn begin_iteration(&mut self, header: OpIdx, is_first: bool) -> Result<(), E::Trap> {
        let n_variables = self.frame.function.locals.len();
        let variables = &mut self.values[self.frame.base..][..n_variables];
        if self.env.replace_loop(self.callers.len(), header, is_first, variables)? {
            let replaced = self.frame.function.facts().loop_at(header);
            self.continue_behind(replaced.expect("the position is a loop's").next);
        }
        Ok(())
    }

    fn call(&mut self, callee: FunctionId, n_args: usize) -> Result<(), E::Trap> {
        self.check_interrupt()?;
        self.begin_call(callee, n_args).map_err(|trap| self.with_active(trap))
    }

    fn begin_call(&mut self, callee: FunctionId, n_args: usize) -> Result<(), E::Trap> {
        let first = self.values.len() - n_args;
        let result = match self.env.callee(callee)? {
            Callee::Function(function) => {
                let frame = Frame { function, next: 0, base: first };
                if !grow(&mut self.callers, 1) {
                    return Err(overflow(&frame.function));
                }
                self.callers.push(std::mem::replace(&mut self.frame, frame));
                return self.allocate_variables();
            }
            Callee::Maths(function) => self.env.data().maths(function, &self.values[first..]),
            Callee::Host => self.env.host(callee, &self.values[first..])?,
        };
        self.values.truncate(first);
        self.values.push(result);
        Ok(())
    }

    /// Begins the call of `frame`: allocates its variables, of which the arguments on top of the
    /// stack become the first, and room for its operands.
    fn allocate_variables(&mut self) -> Result<(), E::Trap> {
        let function = &self.frame.function;
        self.n_bytes += frame_bytes(function);
        let n_locals = function.locals.len();
        // Memory may end before the limit is reached.
        let has_room = self.n_bytes <= self.limit.bytes
            && grow(&mut self.values, n_locals + function.max_stack as usize);
        if !has_room {
            return Err(overflow(function));
        }
        self.values.resize(self.frame.base + n_locals, 0.0);
        Ok(())
    }

    fn check_interrupt(&self) -> Result<(), E::Trap> {
        if self.env.is_interrupted() {
            Err(self.with_active(InterpreterTrap::Interrupted.into()))
        } else {
            Ok(())
        }
    }

    #[cold]
    fn bad_index(&self, index: BadIndex) -> E::Trap {
        InterpreterTrap::BadIndex { index, inside: self.active().collect() }.into()
    }

    /// The names of the active functions, innermost first.
    fn active(&self) -> impl Iterator<Item = Arc<str>> {
        let active = std::iter::once(&self.frame).chain(self.callers.iter().rev());
        active.take(MAX_TRACE).map(|frame| Arc::clone(&frame.function.name))
    }

    #[cold]
    fn with_active(&self, mut trap: E::Trap) -> E::Trap {
        self.env.add_active(&mut trap, &mut self.active());
        trap
    }

    /// Continues behind the operation at this position.
    fn continue_behind(&mut self, idx: OpIdx) {
        self.frame.next = idx.index() + 1;
    }

    fn local(&mut self, local: Local) -> &mut f64 {
        &mut self.values[self.frame.base + local.index()]
    }

    fn top(&self) -> f64 {
        *self.values.last().expect("operations find their operands (promise 2)")
    }

    fn pop(&mut self) -> f64 {
        self.values.pop().expect("operations find their operands (promise 2)")
    }
}

/// The trap for a call of this function for which there is no room.
#[cold]
fn overflow<T: From<InterpreterTrap>>(function: &Function) -> T {
    InterpreterTrap::StackOverflow { function: Arc::clone(&function.name) }.into()
}

/// The number of bytes by which an active call of a function counts.
fn frame_bytes(function: &Function) -> usize {
    size_of::<Frame>() + (function.locals.len() + function.max_stack as usize) * size_of::<f64>()
}
