//! Variables in memory, for functions all of whose loops call in every turn and count.
//!
//! No register for doubles survives a call: in such a loop the variables are in the frame during each turn anyway. If
//! they stay there, where better code finds them when the loop is left for it, there is nothing to be handed over, and
//! nothing that blocks pass on: code that counts takes a fifth less time to make, and runs as fast.

use cranelift_codegen::ir::{InstBuilder, StackSlot, Value, types};
use kaleidoscope_ir::compile::{CallTarget, Unit};
use kaleidoscope_ir::{Local, Op};

use super::Lowering;
use super::trip_thunk::{exchange, offset};

/// Where the variables are.
pub(super) struct Frame(StackSlot);

impl Frame {
    pub(super) fn slot(&self) -> StackSlot {
        self.0
    }
}

impl Lowering<'_> {
    /// Gives the function a frame, if its variables are to be there.
    pub(super) fn make_frame(&mut self) {
        if self.counting.is_some() && loops_call(self.unit) {
            let n_variables = self.unit.function.locals.len();
            self.frame = Some(Frame(exchange(self.cursor.func, n_variables)));
        }
    }

    pub(super) fn get(&mut self, variable: Local) -> Value {
        let Some(Frame(slot)) = self.frame else { return self.variables[variable.index()] };
        self.ins().stack_load(types::I64, types::F64, slot, offset(variable))
    }

    pub(super) fn set(&mut self, variable: Local, value: Value) {
        match self.frame {
            Some(Frame(slot)) => {
                self.ins().stack_store(types::I64, value, slot, offset(variable));
            }
            None => self.variables[variable.index()] = value,
        }
    }

    /// The parameters hold these values from now on.
    pub(super) fn set_parameters(&mut self, args: &[Value]) {
        for (variable, &value) in (0..).map(Local::new).zip(args) {
            self.set(variable, value);
        }
    }

    /// What a jump to where the parameters are read has to bring along for them to hold these values.
    pub(super) fn pass(&mut self, args: &[Value]) -> Vec<Value> {
        if self.frame.is_none() {
            return args.to_vec();
        }
        self.set_parameters(args);
        Vec::new()
    }
}

/// Whether the function has loops, and each of them calls a function of the program in every turn.
fn loops_call(unit: &Unit) -> bool {
    // Of each bracket that is open, whether it is a loop that calls; none for an `if`.
    let mut open = Vec::new();
    let mut has_loops = false;
    for op in &unit.function.ops {
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
            // A loop inside turns at least once.
            Op::Next { .. } => {
                has_loops = true;
                true
            }
            Op::Call { callee, .. } => matches!(unit.call_target(callee), CallTarget::Slot { .. }),
            _ => false,
        };
        if calls && let Some(Some(calls)) = open.last_mut() {
            *calls = true;
        }
    }
    has_loops
}

#[cfg(test)]
mod tests;
