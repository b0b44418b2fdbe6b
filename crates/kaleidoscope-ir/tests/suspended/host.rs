//! What functions call, and what they do that can be observed from outside.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use kaleidoscope_ir::array::{BadIndex, element_at};
use kaleidoscope_ir::interpreter::{
    Callee, Depth, Environment, HostData, InterpreterTrap, LoopOutcome, StackLimit, SuspendedFrame,
    interpret, resume_loop,
};
use kaleidoscope_ir::{Function, FunctionId, HostArray, HostVariable, MathsFunction, OpIdx};

use super::{behind, keep_live};

pub(super) const LIMIT: StackLimit = StackLimit { bytes: 1 << 16 };

/// The most calls and back edges of a run. Longer ones are ended, and not tested.
const MAX_CALLS: usize = 300;

/// The id of the host function, which adds its arguments.
pub(super) const SUM: FunctionId = FunctionId::new(1000);

/// The functions of a program, a host function, two host variables and an array.
pub(super) struct Host {
    functions: Vec<Arc<Function>>,
    variables: [Cell<f64>; 2],
    elements: [Cell<f64>; 3],
    /// The bits of the arguments of each call of the host function so far.
    calls: RefCell<Vec<Vec<u64>>>,
    /// How many calls and back edges may follow.
    n_left: Cell<usize>,
}

/// What a run does, in bits.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    results: Vec<u64>,
    variables: [u64; 2],
    elements: [u64; 3],
    calls: Vec<Vec<u64>>,
}

/// A run ended early.
#[derive(Debug, PartialEq)]
pub(super) struct Trap;

impl From<InterpreterTrap> for Trap {
    fn from(_: InterpreterTrap) -> Self {
        Self
    }
}

impl Host {
    pub(super) fn new(functions: &[Arc<Function>]) -> Self {
        Self {
            functions: functions.to_vec(),
            variables: [Cell::new(5.0), Cell::new(0.0)],
            elements: [10.0, 20.0, 30.0].map(Cell::new),
            calls: RefCell::default(),
            n_left: Cell::new(MAX_CALLS),
        }
    }

    fn element_at(&self, index: f64) -> Result<usize, BadIndex> {
        let len = self.elements.len();
        element_at(index, len).ok_or_else(|| BadIndex { array: "u".into(), index, len })
    }

    /// What the run did that returned these results.
    pub(super) fn outcome(&self, results: Vec<f64>) -> Outcome {
        let variables = self.variables.each_ref().map(|variable| variable.get().to_bits());
        let elements = self.elements.each_ref().map(|element| element.get().to_bits());
        Outcome {
            results: results.into_iter().map(f64::to_bits).collect(),
            variables,
            elements,
            calls: self.calls.borrow().clone(),
        }
    }
}

impl HostData for Host {
    type Trap = Trap;

    fn maths(&self, _: MathsFunction, args: &[f64]) -> f64 {
        args[0].powf(args[1])
    }

    fn variable(&self, variable: HostVariable) -> f64 {
        self.variables[variable.index()].get()
    }

    fn set_variable(&self, variable: HostVariable, value: f64) {
        self.variables[variable.index()].set(value);
    }

    fn element(&self, _: HostArray, index: f64) -> Result<f64, BadIndex> {
        Ok(self.elements[self.element_at(index)?].get())
    }

    fn set_element(&self, _: HostArray, index: f64, value: f64) -> Result<(), BadIndex> {
        self.elements[self.element_at(index)?].set(value);
        Ok(())
    }
}

impl Environment for Host {
    type Trap = Trap;
    type Data = Self;

    fn data(&self) -> &Self {
        self
    }

    fn callee(&self, id: FunctionId) -> Result<Callee, Trap> {
        match self.functions.get(id.index()) {
            Some(function) => Ok(Callee::Function(Arc::clone(function))),
            None if id == SUM => Ok(Callee::Host),
            None => Err(Trap),
        }
    }

    fn host(&self, _: FunctionId, args: &[f64]) -> Result<f64, Trap> {
        self.calls.borrow_mut().push(args.iter().map(|arg| arg.to_bits()).collect());
        Ok(args.iter().sum())
    }

    fn is_interrupted(&self) -> bool {
        self.n_left.set(self.n_left.get().saturating_sub(1));
        self.n_left.get() == 0
    }
}

/// A host in which every call goes through a slot, as calls of completed functions do in an engine.
/// It replaces some loops and tail calls.
pub(super) struct SlotCalls<'a> {
    host: &'a Host,
    /// The function that is completed.
    function: &'a Arc<Function>,
    /// Replaces one offer of this number.
    every: usize,
    n_offers: Cell<usize>,
    pub(super) n_loops: Cell<usize>,
    pub(super) n_tail_calls: Cell<usize>,
}

impl<'a> SlotCalls<'a> {
    pub(super) fn new(host: &'a Host, function: &'a Arc<Function>, every: usize) -> Self {
        let [n_offers, n_loops, n_tail_calls] = [0; 3].map(Cell::new);
        Self { host, function, every, n_offers, n_loops, n_tail_calls }
    }

    /// Whether to replace what is offered.
    fn takes(&self, n_taken: &Cell<usize>) -> bool {
        self.n_offers.set(self.n_offers.get() + 1);
        let takes = self.n_offers.get().is_multiple_of(self.every);
        n_taken.set(n_taken.get() + usize::from(takes));
        takes
    }
}

impl Environment for SlotCalls<'_> {
    type Trap = Trap;
    type Data = Host;

    fn data(&self) -> &Host {
        self.host
    }

    fn callee(&self, id: FunctionId) -> Result<Callee, Trap> {
        self.host.callee(id).map(|_| Callee::Host)
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Trap> {
        match self.host.callee(id)? {
            Callee::Function(function) => interpret(self.host, &function, args, LIMIT),
            _ => self.host.host(id, args),
        }
    }

    fn is_interrupted(&self) -> bool {
        self.host.is_interrupted()
    }

    /// Runs one iteration.
    fn replace_loop(
        &self,
        frame: Depth,
        header: OpIdx,
        _: bool,
        variables: &mut [f64],
    ) -> Result<bool, Trap> {
        assert_eq!(frame, 0, "all calls leave the interpreter");
        if !self.takes(&self.n_loops) {
            return Ok(false);
        }
        let function = Arc::clone(self.function);
        let frame = keep_live(SuspendedFrame {
            function,
            next: behind(header),
            locals: variables.to_vec(),
            operands: Vec::new(),
        });
        let mut after = frame.locals.clone();
        let outcome = resume_loop(self.host, vec![frame], header, &mut after, LIMIT)?;
        let facts = self.function.facts();
        let found = facts.loop_at(header).expect("the position is a loop's");
        for variable in &facts.assigned[found.bracket] {
            variables[variable.index()] = after[variable.index()];
        }
        Ok(outcome == LoopOutcome::Ended)
    }

    fn replace_tail_call(&self, frame: Depth, args: &[f64]) -> Result<Option<f64>, Trap> {
        assert_eq!(frame, 0, "all calls leave the interpreter");
        if !self.takes(&self.n_tail_calls) {
            return Ok(None);
        }
        interpret(self.host, self.function, args, LIMIT).map(Some)
    }
}
