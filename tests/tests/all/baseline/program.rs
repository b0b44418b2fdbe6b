//! What a text has defined so far, run by the reference evaluator, whole or from the middle of a loop.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::interpreter::{Callee, Environment, InterpreterTrap, StackLimit, interpret};
use kaleidoscope_ir::{Function, FunctionId, HostVariable, Local, Op, OpIdx};
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::names::{NameState, Names};
use kaleidoscope_native::maths;

/// Names, bodies, and what was written.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) names: Names,
    pub(crate) bodies: Vec<Option<Arc<Function>>>,
    output: Arc<Mutex<String>>,
}

/// Why an evaluation ended early, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) String);

impl From<InterpreterTrap> for Failure {
    fn from(trap: InterpreterTrap) -> Self {
        Self(format!("{trap:?}"))
    }
}

/// More than any test needs.
const STACK: StackLimit = StackLimit { bytes: 64 << 20 };

/// Stands for the place where the evaluation of a loop leaves its variables.
const STORE: FunctionId = FunctionId::new(u32::MAX);

impl Program {
    pub(crate) fn new() -> Self {
        let mut names = Names::new();
        names.declare_host("putchard", 1);
        names.declare_host("printd", 1);
        Self { names, bodies: Vec::new(), output: Arc::default() }
    }

    /// Makes what the item brings real.
    pub(crate) fn commit(&mut self, item: &Item) {
        self.names.commit(item);
        self.bodies.resize(self.names.n_functions(), None);
        if let Item::Definition { id, function, .. } = item {
            self.bodies[id.index()] = Some(Arc::clone(function));
        }
    }

    /// What was written since the last time.
    pub(crate) fn take_output(&self) -> String {
        std::mem::take(&mut self.output.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What cannot be called, and why.
    pub(crate) fn failure(&self, id: FunctionId) -> Failure {
        Failure(format!("{:?}: {:?}", self.names.signature(id).name, self.names.state(id)))
    }

    pub(crate) fn host_call(&self, name: &str, args: &[f64]) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        *output += &format!("{name}{args:?}\n");
    }

    pub(crate) fn interpret(&self, function: &Arc<Function>, args: &[f64]) -> Result<f64, Failure> {
        interpret(self, function, args, STACK)
    }

    /// Does the rest of a loop, from the start of its body on; the variables before it become those behind it.
    pub(crate) fn finish_loop(
        &self,
        function: &Function,
        number: usize,
        variables: &mut [f64],
    ) -> Result<(), Failure> {
        let found = &function.facts().loops[number];
        let [start, end] = [found.header, found.next].map(OpIdx::index);
        let moved = |idx: OpIdx| OpIdx::new((idx.index() - start) as u32);
        let mut ops: Vec<Op> = function.ops[start..=end]
            .iter()
            .map(|op| match *op {
                Op::If { otherwise } => Op::If { otherwise: moved(otherwise) },
                Op::Else { end } => Op::Else { end: moved(end) },
                Op::Next { variable, header } => Op::Next { variable, header: moved(header) },
                other => other,
            })
            .collect();
        for idx in 0..variables.len() {
            let store = Op::Call { callee: STORE, n_args: 2 };
            ops.extend([Op::Number(idx as f64), Op::Get(Local::new(idx as u32)), store, Op::Drop]);
        }
        ops.push(Op::Number(0.0));
        let n_params = variables.len() as u32;
        let max_stack = function.max_stack + 2;
        let rest =
            Function::new(Arc::clone(&function.name), n_params, function.locals.clone(), ops, max_stack);
        let args = variables.to_vec();
        let finishing = Finishing { program: self, variables: RefCell::new(variables) };
        interpret(&finishing, &Arc::new(rest), &args, STACK).map(|_| ())
    }
}

impl Environment for Program {
    type Trap = Failure;

    fn callee(&self, id: FunctionId) -> Result<Callee, Failure> {
        match self.names.state(id) {
            NameState::Maths(function) => Ok(Callee::Maths(function)),
            NameState::Host => Ok(Callee::Host),
            NameState::Defined => {
                Ok(Callee::Function(self.bodies[id.index()].clone().expect("it is defined")))
            }
            _ => Err(self.failure(id)),
        }
    }

    fn maths(&self, function: MathsFunction, args: &[f64]) -> f64 {
        maths::find(function.name()).expect("both lists are the same").call(args)
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Failure> {
        self.host_call(&self.names.signature(id).name, args);
        Ok(0.0)
    }

    fn variable(&self, _: HostVariable) -> f64 {
        unreachable!("there are no variables of the host")
    }

    fn set_variable(&self, _: HostVariable, _: f64) {
        unreachable!("there are no variables of the host")
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}

/// A program in which a loop is being finished.
struct Finishing<'a> {
    program: &'a Program,
    variables: RefCell<&'a mut [f64]>,
}

impl Environment for Finishing<'_> {
    type Trap = Failure;

    fn callee(&self, id: FunctionId) -> Result<Callee, Failure> {
        if id == STORE { Ok(Callee::Host) } else { self.program.callee(id) }
    }

    fn maths(&self, function: MathsFunction, args: &[f64]) -> f64 {
        self.program.maths(function, args)
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Failure> {
        if id != STORE {
            return self.program.host(id, args);
        }
        self.variables.borrow_mut()[args[0] as usize] = args[1];
        Ok(0.0)
    }

    fn variable(&self, _: HostVariable) -> f64 {
        unreachable!("there are no variables of the host")
    }

    fn set_variable(&self, _: HostVariable, _: f64) {
        unreachable!("there are no variables of the host")
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}
