//! The scan: what lowering must know about a function before it writes the first instruction.

use kaleidoscope_ir::compile::{CallTarget, Unit};
use kaleidoscope_ir::{Arithmetic, Op};

use super::{Maths, Variable};

/// Finds out for each variable how often it is read and whether it is assigned, and for each loop
/// whether an iteration may call: a call changes all registers. Returns the most arguments of a
/// call.
pub(super) fn scan(
    unit: &Unit,
    maths: &Maths,
    variables: &mut Vec<Variable>,
    loops_that_call: &mut Vec<bool>,
) -> usize {
    let function = &*unit.function;
    variables.clear();
    variables.resize(function.locals.len(), Variable::default());
    loops_that_call.clear();
    loops_that_call.resize(function.n_loops(), false);
    let (mut n_loops, mut n_arguments) = (0, 0);
    let mut open_loops = Vec::new();
    for op in &function.ops {
        let calls = match *op {
            Op::Get(variable) => {
                variables[variable.index()].n_reads += 1;
                false
            }
            Op::Set(variable) => {
                variables[variable.index()].is_assigned = true;
                false
            }
            Op::Loop => {
                open_loops.push(n_loops);
                n_loops += 1;
                false
            }
            Op::Next { variable, .. } => {
                variables[variable.index()].n_reads += 1;
                variables[variable.index()].is_assigned = true;
                let ended = open_loops.pop().expect("brackets match");
                loops_that_call[ended]
            }
            Op::Call { callee, n_args } => {
                n_arguments = n_arguments.max(n_args as usize);
                match unit.call_target(callee) {
                    CallTarget::Slot { .. } => true,
                    CallTarget::Maths { function, .. } => maths.instruction(function).is_none(),
                }
            }
            Op::Arithmetic(Arithmetic::Power) => true,
            Op::Number(_)
            | Op::GetHost(_)
            | Op::SetHost(_)
            | Op::GetElement(_)
            | Op::SetElement(_)
            | Op::Drop
            | Op::Arithmetic(
                Arithmetic::Add
                | Arithmetic::Subtract
                | Arithmetic::Multiply
                | Arithmetic::Divide
                | Arithmetic::Less,
            )
            | Op::Square
            | Op::TailCall
            | Op::If { .. }
            | Op::Else { .. }
            | Op::End => false,
        };
        if calls && let Some(&innermost) = open_loops.last() {
            loops_that_call[innermost] = true;
        }
    }
    n_arguments
}
