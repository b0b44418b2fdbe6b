//! Variables in the frame: for counting functions in which each loop calls in every iteration.
//!
//! No register for doubles survives a call, so in such a loop the variables are in memory during
//! each iteration anyway. If they stay there, where an OSR entry finds them, then nothing is copied
//! at an OSR and blocks pass no arguments. Counting code compiles a fifth faster, and runs as fast.

use cranelift_codegen::ir::{InstBuilder, StackSlot, Value, types};
use kaleidoscope_ir::compile::{CallTarget, Unit};
use kaleidoscope_ir::{Local, Op};

use super::Lowering;
use super::trip_thunk::{offset, osr_buffer};

/// The frame's variables: an OSR buffer.
#[derive(Clone, Copy)]
pub(super) struct Frame(pub(super) StackSlot);

impl Lowering<'_> {
    /// Makes the frame, if the function's variables belong there.
    pub(super) fn make_frame(&mut self) {
        if self.counters.is_some() && all_loops_call(self.unit) {
            let n_variables = self.unit.function.locals.len();
            self.frame = Some(Frame(osr_buffer(self.cursor.func, n_variables)));
        }
    }

    /// The variable's current value.
    pub(super) fn variable(&mut self, variable: Local) -> Value {
        let Some(Frame(slot)) = self.frame else { return self.variables[variable.index()] };
        self.ins().stack_load(types::I64, types::F64, slot, offset(variable))
    }

    pub(super) fn set_variable(&mut self, variable: Local, value: Value) {
        match self.frame {
            Some(Frame(slot)) => {
                self.ins().stack_store(types::I64, value, slot, offset(variable));
            }
            None => self.variables[variable.index()] = value,
        }
    }

    pub(super) fn set_parameters(&mut self, args: &[Value]) {
        for (variable, &value) in (0..).map(Local::new).zip(args) {
            self.set_variable(variable, value);
        }
    }

    /// The values that a jump to the function's start must pass to assign these arguments to the
    /// parameters. In a frame they are stored at once.
    pub(super) fn pass(&mut self, args: &[Value]) -> Vec<Value> {
        if self.frame.is_none() {
            return args.to_vec();
        }
        self.set_parameters(args);
        Vec::new()
    }
}

/// Whether the function has loops, and each of them calls a function of the program in every
/// iteration.
fn all_loops_call(unit: &Unit) -> bool {
    let function = &unit.function;
    if function.facts().loops.is_empty() {
        return false;
    }
    // For each open bracket, whether it is a loop that calls. `None` for an `if`.
    let mut open = Vec::new();
    for op in &function.ops {
        let calls = match *op {
            Op::If { .. } => {
                open.push(None);
                false
            }
            Op::Loop => {
                open.push(Some(false));
                false
            }
            Op::End => {
                open.pop();
                false
            }
            Op::Next { .. } if open.pop() == Some(Some(false)) => return false,
            // An inner loop has at least one iteration.
            Op::Next { .. } => true,
            Op::Call { callee, .. } => matches!(unit.call_target(callee), CallTarget::Slot { .. }),
            Op::Number(_)
            | Op::Get(_)
            | Op::Set(_)
            | Op::GetHost(_)
            | Op::SetHost(_)
            | Op::Drop
            | Op::Arithmetic(_)
            | Op::Square
            | Op::TailCall
            | Op::Else { .. } => false,
        };
        if calls && let Some(Some(calls)) = open.last_mut() {
            *calls = true;
        }
    }
    true
}

#[cfg(test)]
mod tests;
