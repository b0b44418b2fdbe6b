//! Running a function step by step until a turn of one of its loops, which code then finishes: what an engine does that
//! goes over to better code in the middle of a loop.

use std::sync::Arc;

use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::interpreter::{Callee, Environment as _};
use kaleidoscope_ir::op::holds;
use kaleidoscope_ir::{Function, Op};

use super::native::LoopCode;
use super::{Ended, Session};

/// The value of a call, in which loop number `nth` is left to code whenever it has made so many turns.
pub(super) fn evaluate(
    session: &Session,
    function: &Arc<Function>,
    args: &[f64],
    nth: usize,
    turn: usize,
    code: &LoopCode,
) -> Result<f64, Ended> {
    let of_interest = &function.facts().loops[nth];
    // What code finds where nothing was set must not matter.
    let mut locals = vec![f64::NAN; function.locals.len()];
    locals[..args.len()].copy_from_slice(args);
    let mut stack: Vec<f64> = Vec::new();
    let mut n_turns = 0;
    let mut next = 0;
    while let Some(&op) = function.ops.get(next) {
        next += 1;
        let mut pop = || stack.pop().expect("operations find their operands");
        let value = match op {
            Op::Number(number) => number,
            Op::Get(local) => locals[local.index()],
            Op::Set(local) => {
                locals[local.index()] = pop();
                locals[local.index()]
            }
            Op::GetHost(variable) => session.variable(variable),
            Op::SetHost(variable) => {
                let value = pop();
                session.set_variable(variable, value);
                value
            }
            Op::Drop => {
                pop();
                continue;
            }
            Op::Arithmetic(arithmetic) => {
                let (b, a) = (pop(), pop());
                arithmetic.apply(a, b, |x, y| session.maths(MathsFunction::Pow, &[x, y]))
            }
            Op::Square => {
                let x = pop();
                x * x
            }
            Op::Call { callee, n_args } => {
                let args = stack.split_off(stack.len() - n_args as usize);
                match session.callee(callee)? {
                    Callee::Function(function) => session.interpret(&function, &args)?,
                    Callee::Maths(function) => session.maths(function, &args),
                    Callee::Host => session.host(callee, &args)?,
                }
            }
            Op::TailCall => {
                let args = stack.split_off(stack.len() - function.n_params as usize);
                locals[..args.len()].copy_from_slice(&args);
                next = 0;
                continue;
            }
            Op::If { otherwise } => {
                if !holds(pop()) {
                    next = otherwise.index() + 1;
                }
                continue;
            }
            Op::Else { end } => {
                next = end.index() + 1;
                continue;
            }
            Op::End => continue,
            Op::Loop => {
                if next - 1 == of_interest.header.index() {
                    n_turns = 0;
                    if turn == 0 {
                        code.run(&mut locals);
                        next = of_interest.next.index() + 1;
                    }
                }
                continue;
            }
            Op::Next { variable, header } => {
                let (condition, step) = (pop(), pop());
                locals[variable.index()] += step;
                if !holds(condition) {
                    continue;
                }
                next = header.index() + 1;
                if header == of_interest.header {
                    n_turns += 1;
                    if n_turns == turn {
                        code.run(&mut locals);
                        next = of_interest.next.index() + 1;
                    }
                }
                continue;
            }
        };
        stack.push(value);
    }
    Ok(stack.pop().expect("a function leaves its result"))
}
