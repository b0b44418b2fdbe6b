//! A resolved function becomes LLVM IR in one pass over its operations, in SSA form at once.
//!
//! Variables are no memory: the value each one has at the current place is known while going along, and where control
//! flow joins a phi is made for those that the `if` or `for` assigns ([`Facts`] says which). So the code is fit to be
//! generated without a single optimisation pass, and none must first undo loads and stores.
//!
//! Where hot code carries the body of a callee, lowering goes on in that body and comes back at its end, with arguments
//! and result as they are on the stack of values; so no pass must first inline calls.
//!
//! The result of `<` stays a truth value until someone needs it as a number, since most often none does.
//!
//! No function here calls itself, however deep the program nests.

mod branch;
mod call;
mod choice;
mod count;
mod entry;
mod frame;
mod rows;
mod variable;

use choice::{Choices, choices};
use frame::Frame;
use inkwell::FloatPredicate;
use inkwell::basic_block::BasicBlock;
use inkwell::builder::{Builder, BuilderError};
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::values::{FloatValue, FunctionValue, IntValue};
use kaleidoscope_ir::Facts;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{CodeKind, Instance, Unit};
use kaleidoscope_ir::{Arithmetic, FunctionId, HostVariable, Local, Op};
use rows::RowLoop;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How a module refers to slots and host variables.
#[derive(Clone, Copy, Debug)]
pub enum References<'a> {
    /// By address, for code that this process runs.
    Addresses,
    /// By symbol, for listings and for objects that another linker links. Slots need the names of
    /// the functions.
    Symbols(&'a BTreeMap<FunctionId, String>),
}

/// The module of a unit: one function named `symbol`, and declarations of what it uses.
///
/// Ask [`effort`](crate::effort) first whether LLVM will cope with the unit. The module has neither
/// data layout nor target: the compiler sets them.
///
/// # Panics
/// If the unit is an OSR entry for a loop that its function does not have, or [`References::Symbols`]
/// lack the name of a callee.
pub fn lower<'cx>(cx: &'cx Context, unit: &Unit, symbol: &str, references: References<'_>) -> Module<'cx> {
    let module = cx.create_module(&unit.function.name);
    let instances = unit.instances();
    Lowering::new(cx, &module, unit, &instances, symbol, references).run();
    module
}

/// What an operation takes and leaves.
#[derive(Clone, Copy)]
enum Operand<'cx> {
    Number(FloatValue<'cx>),
    /// Stands for 1 or 0.
    Truth(IntValue<'cx>),
}

struct Lowering<'cx, 'a> {
    cx: &'cx Context,
    module: &'a Module<'cx>,
    builder: Builder<'cx>,
    unit: &'a Unit,
    instances: &'a [Instance<'a>],
    references: References<'a>,
    choices: Vec<Choices>,
    /// For each instance, once it has been asked for.
    shapes: Vec<Option<Rc<Facts>>>,
    body: FunctionValue<'cx>,
    zero: FloatValue<'cx>,
    /// The loop over the rows, if there is one.
    rows: Option<RowLoop<'cx>>,
    /// The variables of the host that have been read for all rows.
    read_ahead: BTreeMap<HostVariable, FloatValue<'cx>>,
    /// The block that code goes to; `None` behind a tail call.
    block: Option<BasicBlock<'cx>>,
    stack: Vec<Operand<'cx>>,
    /// The bodies that wait for the one in `frame`, outermost first.
    callers: Vec<Frame<'cx, 'a>>,
    frame: Frame<'cx, 'a>,
}

impl<'cx> Lowering<'cx, '_> {
    fn run(mut self) {
        loop {
            match self.frame.next_op() {
                Some(op) => self.lower_op(op),
                None if !self.callers.is_empty() => self.leave_callee(),
                None => break,
            }
        }
        self.end();
    }

    fn lower_op(&mut self, op: Op) {
        match op {
            Op::Number(number) => {
                self.stack.push(Operand::Number(self.cx.f64_type().const_float(number)));
            }
            Op::Get(variable) => self.stack.push(Operand::Number(self.frame.variables[variable.index()])),
            Op::Set(variable) => {
                let value = self.pop_number();
                self.frame.variables[variable.index()] = value;
                // So that the text of the IR can be read; constants have no names.
                if value.get_name().is_empty() {
                    value.set_name(self.frame.name_of(variable));
                }
                self.stack.push(Operand::Number(value));
            }
            Op::GetHost(variable) => self.get_host(variable),
            Op::SetHost(variable) => self.set_host(variable),
            Op::Drop => {
                self.pop();
            }
            Op::Arithmetic(arithmetic) => self.arithmetic(arithmetic),
            Op::Square => {
                let x = self.pop_number();
                self.push(self.builder.build_float_mul(x, x, ""));
            }
            Op::Call { callee, n_args } => self.call(callee, n_args as usize),
            Op::TailCall => self.tail_call(),
            Op::If { .. } => self.open_if(),
            Op::Else { .. } => self.turn_to_else(),
            Op::End => self.close_if(),
            Op::Loop => self.open_loop(),
            Op::Next { variable, .. } => self.close_loop(variable),
        }
    }

    fn arithmetic(&mut self, arithmetic: Arithmetic) {
        let b = self.pop_number();
        let a = self.pop_number();
        let builder = &self.builder;
        let value = match arithmetic {
            Arithmetic::Add => builder.build_float_add(a, b, ""),
            Arithmetic::Subtract => builder.build_float_sub(a, b, ""),
            Arithmetic::Multiply => builder.build_float_mul(a, b, ""),
            Arithmetic::Divide => builder.build_float_div(a, b, ""),
            Arithmetic::Power => {
                let value = self.call_maths(MathsFunction::Pow, &[a, b]);
                self.stack.push(Operand::Number(value));
                return;
            }
            Arithmetic::Less => {
                let less = built(builder.build_float_compare(FloatPredicate::ULT, a, b, ""));
                self.stack.push(Operand::Truth(less));
                return;
            }
        };
        self.push(value);
    }

    fn append(&self, name: &str) -> BasicBlock<'cx> {
        self.cx.append_basic_block(self.body, name)
    }

    fn enter(&mut self, block: BasicBlock<'cx>) {
        self.builder.position_at_end(block);
        self.block = Some(block);
    }

    fn current(&self) -> BasicBlock<'cx> {
        self.block.expect("behind a tail call only `Else`, `End` and the end follow")
    }

    fn jump(&self, block: BasicBlock<'cx>) {
        built(self.builder.build_unconditional_branch(block));
    }

    fn push(&mut self, value: Result<FloatValue<'cx>, BuilderError>) {
        self.stack.push(Operand::Number(built(value)));
    }

    fn pop(&mut self) -> Operand<'cx> {
        self.stack.pop().expect("each operation finds its operands")
    }

    fn pop_number(&mut self) -> FloatValue<'cx> {
        let operand = self.pop();
        self.number(operand)
    }

    fn number(&self, operand: Operand<'cx>) -> FloatValue<'cx> {
        match operand {
            Operand::Number(number) => number,
            Operand::Truth(truth) => {
                built(self.builder.build_unsigned_int_to_float(truth, self.cx.f64_type(), ""))
            }
        }
    }

    fn pop_numbers(&mut self, n: usize) -> Vec<FloatValue<'cx>> {
        let mut numbers: Vec<_> = (0..n).map(|_| self.pop_number()).collect();
        numbers.reverse();
        numbers
    }

    /// Whether a condition holds: ordered and not zero.
    fn pop_truth(&mut self) -> IntValue<'cx> {
        match self.pop() {
            Operand::Truth(truth) => truth,
            Operand::Number(number) => {
                built(self.builder.build_float_compare(FloatPredicate::ONE, number, self.zero, ""))
            }
        }
    }
}

/// What a builder gives back. It fails only when it stands nowhere or is given values of the wrong type.
fn built<T>(result: Result<T, BuilderError>) -> T {
    result.expect("the builder stands in a block and all values are doubles")
}
