//! Small callees: those that are no larger than the call that they replace.
//!
//! Such a callee is inlined wherever it is called: that makes the code smaller, and the compile
//! faster. The tutorial's `:`, `!` and unary `-` are small. V8 has the same rule
//! (`max_inlined_bytecode_size_small`).

use crate::{Arithmetic, Function, FunctionId, Op, OpIdx};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The instructions of a call beside those for its arguments: it loads the slot's address, calls,
/// and keeps at least one value over the call.
const CALL_INSTRUCTIONS: usize = 3;

/// The most small callees inside each other.
const DEEPEST: usize = 16;

/// A callee that is no larger than a call.
#[derive(Debug)]
pub(super) struct SmallCallee {
    pub(super) function: Arc<Function>,
    /// Its calls of small callees, by position. These were found before it.
    pub(super) inlined: Vec<(OpIdx, FunctionId)>,
    /// Its operations, those of its small callees included.
    pub(super) n_ops: usize,
    n_instructions: usize,
    /// How many small callees were found before it.
    pub(super) nth: usize,
}

/// The small callees found so far.
pub(super) struct SmallCallees<F> {
    most_ops: usize,
    function_of: F,
    /// For each function that was looked at, the small callee that it is.
    known: BTreeMap<FunctionId, Option<SmallCallee>>,
    n_found: usize,
    /// The functions that are being looked at, each called by the one before.
    open: Vec<FunctionId>,
}

impl<F: FnMut(FunctionId) -> Option<Arc<Function>>> SmallCallees<F> {
    /// Small callees have at most this many operations.
    pub(super) fn new(most_ops: usize, function_of: F) -> Self {
        Self { most_ops, function_of, known: BTreeMap::new(), n_found: 0, open: Vec::new() }
    }

    /// The definition of a callee.
    pub(super) fn function_of(&mut self, id: FunctionId) -> Option<Arc<Function>> {
        (self.function_of)(id)
    }

    /// The small callee that the function is, if it is one.
    pub(super) fn find(&mut self, id: FunctionId) -> Option<&SmallCallee> {
        if !self.known.contains_key(&id) {
            if self.open.len() == DEEPEST || self.open.contains(&id) {
                return None;
            }
            self.open.push(id);
            let found = self.function_of(id).and_then(|function| self.measure(function));
            self.open.pop();
            self.n_found += usize::from(found.is_some());
            self.known.insert(id, found);
        }
        self.get(id)
    }

    /// A function that was found to be small.
    pub(super) fn get(&self, id: FunctionId) -> Option<&SmallCallee> {
        self.known.get(&id)?.as_ref()
    }

    fn measure(&mut self, function: Arc<Function>) -> Option<SmallCallee> {
        let mut n_ops = function.ops.len();
        if n_ops > self.most_ops {
            return None;
        }
        let mut inlined = Vec::new();
        let mut n_instructions = 0;
        for (at, &op) in function.ops.iter().enumerate() {
            let most_ops = self.most_ops - n_ops;
            let small = op.callee().and_then(|callee| Some((callee, self.find(callee)?)));
            if let Some((callee, small)) = small.filter(|(_, small)| small.n_ops <= most_ops) {
                n_ops += small.n_ops;
                n_instructions += small.n_instructions;
                inlined.push((OpIdx::new(at as u32), callee));
            } else {
                n_instructions += instructions(op)?;
            }
        }
        let nth = self.n_found;
        let is_small = n_instructions <= call_instructions(function.n_params);
        is_small.then_some(SmallCallee { function, inlined, n_ops, n_instructions, nth })
    }
}

/// The instructions that an operation compiles to, about. `None` for one that begins an iteration.
fn instructions(op: Op) -> Option<usize> {
    Some(match op {
        // Values move from name to name, and constants are operands.
        Op::Number(_) | Op::Get(_) | Op::Set(_) | Op::Drop | Op::Else { .. } | Op::End => 0,
        Op::GetHost(_) | Op::SetHost(_) | Op::Square => 1,
        // A conversion, a comparison, a branch, and the access.
        Op::GetElement(_) | Op::SetElement(_) => 4,
        Op::Arithmetic(
            Arithmetic::Add
            | Arithmetic::Subtract
            | Arithmetic::Multiply
            | Arithmetic::Divide
            | Arithmetic::Less,
        ) => 1,
        Op::Arithmetic(Arithmetic::Power) => call_instructions(2),
        Op::Call { n_args, .. } => call_instructions(n_args),
        // A comparison, and a branch or select.
        Op::If { .. } => 2,
        Op::TailCall | Op::Loop | Op::Next { .. } => return None,
    })
}

fn call_instructions(n_args: u32) -> usize {
    CALL_INSTRUCTIONS + n_args as usize
}
