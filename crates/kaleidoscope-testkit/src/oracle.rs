//! Oracle: runs the items of a text in the interpreter, for comparison with code.
//!
//! The host functions `putchard` and `printd` exist. They write to the output of the thread
//! ([`write_output`]), as the host functions of the code under test must do.

mod loop_function;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kaleidoscope_ir::array::BadIndex;
use kaleidoscope_ir::interpreter::{
    Callee, Depth, Environment, HostData, InterpreterTrap, LoopOutcome, StackLimit, interpret,
};
use kaleidoscope_ir::{Function, FunctionId, HostArray, HostVariable, MathsFunction, OpIdx};
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::names::{NameState, Names};

/// The host functions of a [`Oracle`]. Each has one parameter.
pub const HOST_FUNCTIONS: [&str; 2] = ["putchard", "printd"];

thread_local! {
    static OUTPUT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Adds a call of a host function to the output of this thread.
pub fn write_output(host_function: &str, args: &[f64]) {
    OUTPUT.with_borrow_mut(|output| *output += &format!("{host_function}{args:?}\n"));
}

/// The output of this thread since the last call.
pub fn take_output() -> String {
    OUTPUT.take()
}

/// The items of a text so far.
#[derive(Debug)]
pub struct Oracle {
    /// The names so far.
    pub names: Names,
    definitions: Vec<Option<Arc<Function>>>,
    maths: fn(MathsFunction, &[f64]) -> f64,
    stack_bytes: usize,
    max_steps: usize,
    /// Calls and back edges of the current run.
    n_steps: AtomicUsize,
}

/// Why a run ended early, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl From<InterpreterTrap> for Failure {
    fn from(trap: InterpreterTrap) -> Self {
        Self(format!("{trap:?}"))
    }
}

impl Clone for Oracle {
    fn clone(&self) -> Self {
        Self {
            names: self.names.clone(),
            definitions: self.definitions.clone(),
            n_steps: AtomicUsize::new(0),
            ..*self
        }
    }
}

impl Oracle {
    /// An oracle without items. `maths` calls a maths function. A run fails if its stack exceeds
    /// `stack_bytes` bytes, or after `max_steps` calls and back edges.
    pub fn new(maths: fn(MathsFunction, &[f64]) -> f64, stack_bytes: usize, max_steps: usize) -> Self {
        let mut names = Names::new();
        for name in HOST_FUNCTIONS {
            names.declare_host(name, 1);
        }
        let n_steps = AtomicUsize::new(0);
        Self { names, definitions: Vec::new(), maths, stack_bytes, max_steps, n_steps }
    }

    /// Adds an item.
    pub fn commit(&mut self, item: &Item) {
        self.names.commit(item);
        self.definitions.resize(self.names.n_functions(), None);
        if let Item::Definition { id, function, .. } = item {
            self.definitions[id.index()] = Some(Arc::clone(function));
        }
    }

    /// The function's definition. `None` if its name means something else now.
    pub fn definition(&self, id: FunctionId) -> Option<&Arc<Function>> {
        match self.names.state(id) {
            NameState::Defined => self.definitions[id.index()].as_ref(),
            _ => None,
        }
    }

    /// Why the function cannot be called.
    pub fn failure(&self, id: FunctionId) -> Failure {
        Failure(format!("{:?}: {:?}", self.names.signature(id).name, self.names.state(id)))
    }

    /// Runs a function in the interpreter.
    ///
    /// # Errors
    /// What ended the run early.
    pub fn interpret(&self, function: &Arc<Function>, args: &[f64]) -> Result<f64, Failure> {
        self.run_in(self, function, args)
    }

    /// Runs a function, and replaces the loop `loop_number` before iteration number `iteration`,
    /// each time that the loop gets there. `run_loop` runs the loop from there to its end: it
    /// takes the locals and updates those that the loop assigns. Locals that the loop does not use
    /// are NaN.
    ///
    /// # Errors
    /// What ended the run early.
    pub fn interpret_with_osr(
        &self,
        function: &Arc<Function>,
        args: &[f64],
        (loop_number, iteration): (usize, usize),
        run_loop: &dyn Fn(&mut [f64]),
    ) -> Result<f64, Failure> {
        let replaced = &function.facts().loops[loop_number];
        let loop_run = LoopReplacement {
            oracle: self,
            function,
            header: replaced.header,
            bracket: replaced.bracket,
            iteration,
            n_iterations: AtomicUsize::new(0),
            run_loop,
        };
        self.run_in(&loop_run, function, args)
    }

    /// Runs a loop from the beginning of an iteration, as an OSR entry does: to its end, or for
    /// `max_iterations`.
    ///
    /// # Errors
    /// What ended the run early.
    pub fn run_loop(
        &self,
        function: &Function,
        loop_number: usize,
        locals: &mut [f64],
        max_iterations: usize,
    ) -> Result<LoopOutcome, Failure> {
        loop_function::run_loop(self, function, loop_number, locals, max_iterations)
    }

    fn run_in(
        &self,
        environment: &impl Environment<Trap = Failure>,
        function: &Arc<Function>,
        args: &[f64],
    ) -> Result<f64, Failure> {
        self.n_steps.store(0, Ordering::Relaxed);
        interpret(environment, function, args, StackLimit { bytes: self.stack_bytes })
    }
}

impl HostData for Oracle {
    type Trap = Failure;

    fn maths(&self, function: MathsFunction, args: &[f64]) -> f64 {
        (self.maths)(function, args)
    }

    fn variable(&self, _: HostVariable) -> f64 {
        unreachable!("there are no host variables")
    }

    fn set_variable(&self, _: HostVariable, _: f64) {
        unreachable!("there are no host variables")
    }

    fn element(&self, _: HostArray, _: f64) -> Result<f64, BadIndex> {
        unreachable!("there are no arrays")
    }

    fn set_element(&self, _: HostArray, _: f64, _: f64) -> Result<(), BadIndex> {
        unreachable!("there are no arrays")
    }
}

impl Environment for Oracle {
    type Trap = Failure;
    type Data = Self;

    fn data(&self) -> &Self {
        self
    }

    fn callee(&self, id: FunctionId) -> Result<Callee, Failure> {
        match self.names.state(id) {
            NameState::Maths(function) => Ok(Callee::Maths(function)),
            NameState::Host => Ok(Callee::Host),
            _ => self.definition(id).cloned().map(Callee::Function).ok_or_else(|| self.failure(id)),
        }
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Failure> {
        write_output(&self.names.signature(id).name, args);
        Ok(0.0)
    }

    fn is_interrupted(&self) -> bool {
        self.n_steps.fetch_add(1, Ordering::Relaxed) >= self.max_steps
    }
}

/// An oracle in which code runs the remaining iterations of a loop.
struct LoopReplacement<'a> {
    oracle: &'a Oracle,
    function: &'a Function,
    header: OpIdx,
    bracket: usize,
    iteration: usize,
    /// The iterations of the current run of the loop.
    n_iterations: AtomicUsize,
    run_loop: &'a dyn Fn(&mut [f64]),
}

impl Environment for LoopReplacement<'_> {
    type Trap = Failure;
    type Data = Oracle;

    fn data(&self) -> &Oracle {
        self.oracle
    }

    fn callee(&self, id: FunctionId) -> Result<Callee, Failure> {
        self.oracle.callee(id)
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Failure> {
        self.oracle.host(id, args)
    }

    fn is_interrupted(&self) -> bool {
        self.oracle.is_interrupted()
    }

    fn replace_loop(
        &self,
        frame: Depth,
        header: OpIdx,
        is_first: bool,
        variables: &mut [f64],
    ) -> Result<bool, Failure> {
        if frame > 0 || header != self.header {
            return Ok(false);
        }
        let iteration = if is_first { 0 } else { self.n_iterations.load(Ordering::Relaxed) + 1 };
        self.n_iterations.store(iteration, Ordering::Relaxed);
        if iteration != self.iteration {
            return Ok(false);
        }
        let facts = self.function.facts();
        let used = facts.loop_at(header).expect("the position is a loop's").variables(self.function);
        let mut locals = vec![f64::NAN; variables.len()];
        for variable in &used {
            locals[variable.index()] = variables[variable.index()];
        }
        (self.run_loop)(&mut locals);
        for variable in &facts.assigned[self.bracket] {
            variables[variable.index()] = locals[variable.index()];
        }
        Ok(true)
    }
}
