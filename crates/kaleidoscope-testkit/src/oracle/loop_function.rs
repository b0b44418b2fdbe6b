//! A loop as a function: runs iterations of a loop, as an OSR entry does.
//!
//! The loop becomes a function whose parameters are the locals. Behind the loop it stores each
//! local by a call of a host function.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use kaleidoscope_ir::interpreter::{Callee, Depth, Environment, LoopOutcome};
use kaleidoscope_ir::{Function, FunctionId, Local, Op, OpIdx};

use super::{Failure, Oracle};

/// The host function that stores a local: takes its index and its value.
const STORE: FunctionId = FunctionId::new(u32::MAX);

pub(super) fn run_loop(
    oracle: &Oracle,
    function: &Function,
    loop_number: usize,
    locals: &mut [f64],
    max_iterations: usize,
) -> Result<LoopOutcome, Failure> {
    let args = locals.to_vec();
    let function = Arc::new(loop_as_function(function, loop_number));
    let (n_left, outcome) = (Cell::new(max_iterations), Cell::new(LoopOutcome::Ended));
    let environment = LoopRun { oracle, locals: RefCell::new(locals), n_left, outcome };
    oracle.run_in(&environment, &function, &args)?;
    Ok(environment.outcome.get())
}

fn loop_as_function(function: &Function, loop_number: usize) -> Function {
    let found = &function.facts().loops[loop_number];
    let [start, end] = [found.header, found.next].map(OpIdx::index);
    let moved = |idx: OpIdx| OpIdx::new((idx.index() - start) as u32);
    let ops = function.ops[start..=end].iter().map(|op| match *op {
        Op::If { otherwise } => Op::If { otherwise: moved(otherwise) },
        Op::Else { end } => Op::Else { end: moved(end) },
        Op::Next { variable, header } => Op::Next { variable, header: moved(header) },
        other @ (Op::Number(_)
        | Op::Get(_)
        | Op::Set(_)
        | Op::GetHost(_)
        | Op::SetHost(_)
        | Op::GetElement(_)
        | Op::SetElement(_)
        | Op::Drop
        | Op::Arithmetic(_)
        | Op::Square
        | Op::Call { .. }
        | Op::TailCall
        | Op::End
        | Op::Loop) => other,
    });
    let mut ops: Vec<_> = ops.collect();
    for idx in 0..function.locals.len() {
        let store = Op::Call { callee: STORE, n_args: 2 };
        ops.extend([Op::Number(idx as f64), Op::Get(Local::new(idx as u32)), store, Op::Drop]);
    }
    ops.push(Op::Number(0.0));
    let n_params = function.locals.len() as u32;
    let max_stack = function.max_stack + 2;
    Function::new(Arc::clone(&function.name), n_params, function.locals.clone(), ops, max_stack)
}

/// An oracle in which a loop runs as a function.
struct LoopRun<'a> {
    oracle: &'a Oracle,
    locals: RefCell<&'a mut [f64]>,
    /// How many iterations may still begin.
    n_left: Cell<usize>,
    outcome: Cell<LoopOutcome>,
}

impl Environment for LoopRun<'_> {
    type Trap = Failure;
    type Data = Oracle;

    fn data(&self) -> &Oracle {
        self.oracle
    }

    fn callee(&self, id: FunctionId) -> Result<Callee, Failure> {
        if id == STORE { Ok(Callee::Host) } else { self.oracle.callee(id) }
    }

    fn host(&self, id: FunctionId, args: &[f64]) -> Result<f64, Failure> {
        if id != STORE {
            return self.oracle.host(id, args);
        }
        self.locals.borrow_mut()[args[0] as usize] = args[1];
        Ok(0.0)
    }

    fn is_interrupted(&self) -> bool {
        self.oracle.is_interrupted()
    }

    /// Leaves the loop, which begins the function, when no more iterations may begin.
    fn replace_loop(&self, frame: Depth, header: OpIdx, _: bool, _: &mut [f64]) -> Result<bool, Failure> {
        if frame > 0 || header != OpIdx::new(0) {
            return Ok(false);
        }
        let Some(n_left) = self.n_left.get().checked_sub(1) else {
            self.outcome.set(LoopOutcome::AtHeader);
            return Ok(true);
        };
        self.n_left.set(n_left);
        Ok(false)
    }
}
