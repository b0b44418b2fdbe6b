//! A resolved function becomes LLVM IR in one pass over its operations, in SSA form at once.
//!
//! Variables are no memory: the value each one has at the current place is known while going along, and where control
//! flow joins a phi is made for those that the `if` or `for` assigns ([`Shape`] says which). So the code is fit to be
//! generated without a single optimisation pass, and none must first undo loads and stores.
//!
//! The result of `<` stays a truth value until someone needs it as a number, since most often none does.
//!
//! No function here calls itself, however deep the program nests.

mod call;

use crate::Unit;
use call::{body_attributes, signature};
use inkwell::FloatPredicate;
use inkwell::attributes::AttributeLoc;
use inkwell::basic_block::BasicBlock;
use inkwell::builder::{Builder, BuilderError};
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::values::{FloatValue, FunctionValue, IntValue, PhiValue};
use kaleidoscope_lang::code::{Arithmetic, Local, Op};
use kaleidoscope_lang::maths::MathsFunction;
use kaleidoscope_lang::shape::Shape;

/// The module of one function: its body under `unit.symbol`, and declarations of what it uses.
///
/// Ask [`effort`](crate::effort) first whether LLVM will cope with the function. The module has neither data layout nor
/// target: they are the compiler's.
pub fn lower<'cx>(cx: &'cx Context, unit: &Unit<'_>) -> Module<'cx> {
    let module = cx.create_module(&unit.function.name);
    Lowering::new(cx, &module, unit).run();
    module
}

/// What an operation takes and leaves.
#[derive(Clone, Copy)]
enum Operand<'cx> {
    Number(FloatValue<'cx>),
    /// Stands for 1 or 0.
    Truth(IntValue<'cx>),
}

/// The end of a branch that can be reached.
struct Branch<'cx> {
    block: BasicBlock<'cx>,
    value: FloatValue<'cx>,
    /// What the variables that the `if` assigns hold here.
    variables: Vec<FloatValue<'cx>>,
}

/// A bracket whose end has not been reached.
enum Open<'cx> {
    If {
        bracket: usize,
        otherwise: BasicBlock<'cx>,
        /// What the variables that the `if` assigns held before.
        before: Vec<FloatValue<'cx>>,
        /// The first branch, once it has ended and unless it ends in a tail call.
        first: Option<Branch<'cx>>,
    },
    Loop {
        bracket: usize,
        header: BasicBlock<'cx>,
        /// One for each variable that the loop assigns.
        phis: Vec<PhiValue<'cx>>,
    },
}

struct Lowering<'cx, 'a> {
    cx: &'cx Context,
    module: &'a Module<'cx>,
    builder: Builder<'cx>,
    unit: &'a Unit<'a>,
    shape: Shape,
    body: FunctionValue<'cx>,
    zero: FloatValue<'cx>,
    /// The block that code goes to; `None` behind a tail call.
    block: Option<BasicBlock<'cx>>,
    /// Where tail calls jump to, with a phi for each parameter.
    start: Option<(BasicBlock<'cx>, Vec<PhiValue<'cx>>)>,
    stack: Vec<Operand<'cx>>,
    variables: Vec<FloatValue<'cx>>,
    open: Vec<Open<'cx>>,
    /// How many brackets have been opened so far.
    n_brackets: usize,
}

impl<'cx, 'a> Lowering<'cx, 'a> {
    fn new(cx: &'cx Context, module: &'a Module<'cx>, unit: &'a Unit<'a>) -> Self {
        let function = unit.function;
        let shape = Shape::of(function, usize::MAX).expect("no number of phis is too large");
        let body = module.add_function(unit.symbol, signature(cx, function.n_params as usize), None);
        for attribute in body_attributes(cx) {
            body.add_attribute(AttributeLoc::Function, attribute);
        }
        let zero = cx.f64_type().const_zero();
        let mut lowering = Self {
            cx,
            module,
            builder: cx.create_builder(),
            unit,
            shape,
            body,
            zero,
            block: None,
            start: None,
            stack: Vec::with_capacity(function.max_stack as usize),
            variables: vec![zero; function.locals.len()],
            open: Vec::new(),
            n_brackets: 0,
        };
        lowering.begin();
        lowering
    }

    /// Makes the entry and, for tail calls, the block they come back to.
    fn begin(&mut self) {
        let entry = self.append("entry");
        self.enter(entry);
        for (idx, parameter) in self.body.get_param_iter().enumerate() {
            let parameter = parameter.into_float_value();
            parameter.set_name(&self.unit.function.locals[idx]);
            self.variables[idx] = parameter;
        }
        if self.shape.has_tail_call {
            let start = self.append("start");
            self.jump(start);
            self.enter(start);
            let parameters = 0..self.unit.function.n_params;
            let phis = parameters.map(|idx| self.phi_of(Local::new(idx), entry)).collect();
            self.start = Some((start, phis));
        }
    }

    fn run(mut self) {
        for op in &self.unit.function.ops {
            match *op {
                Op::Number(number) => {
                    self.stack.push(Operand::Number(self.cx.f64_type().const_float(number)));
                }
                Op::Get(variable) => self.stack.push(Operand::Number(self.variables[variable.index()])),
                Op::Set(variable) => {
                    let value = self.pop_number();
                    self.variables[variable.index()] = value;
                    // So that the text of the IR can be read; constants have no names.
                    if value.get_name().is_empty() {
                        value.set_name(&self.unit.function.locals[variable.index()]);
                    }
                    self.stack.push(Operand::Number(value));
                }
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
        if self.block.is_some() {
            let value = self.pop_number();
            built(self.builder.build_return(Some(&value)));
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

    fn tail_call(&mut self) {
        let args = self.pop_numbers(self.unit.function.n_params as usize);
        let (start, phis) = self.start.as_ref().expect("the shape saw this tail call");
        let from = self.current();
        for (phi, arg) in phis.iter().zip(&args) {
            phi.add_incoming(&[(arg, from)]);
        }
        self.jump(*start);
        self.block = None;
    }

    fn open_if(&mut self) {
        let condition = self.pop_truth();
        let (then, otherwise) = (self.append("then"), self.append("else"));
        built(self.builder.build_conditional_branch(condition, then, otherwise));
        self.enter(then);
        let bracket = self.next_bracket();
        let before = self.values_of(bracket);
        self.open.push(Open::If { bracket, otherwise, before, first: None });
    }

    fn turn_to_else(&mut self) {
        let Some(Open::If { bracket, otherwise, before, .. }) = self.open.pop() else { unmatched() };
        let first = self.block.map(|block| {
            let value = self.pop_number();
            Branch { block, value, variables: self.values_of(bracket) }
        });
        self.assign(bracket, &before);
        self.enter(otherwise);
        self.open.push(Open::If { bracket, otherwise, before, first });
    }

    fn close_if(&mut self) {
        let Some(Open::If { bracket, first, .. }) = self.open.pop() else { unmatched() };
        // Where the first branch ended in a tail call, the second one simply goes on.
        let Some(first) = first else { return };
        let Some(second) = self.block else {
            self.enter(first.block);
            self.assign(bracket, &first.variables);
            self.stack.push(Operand::Number(first.value));
            return;
        };
        let value = self.pop_number();
        let join = self.append("join");
        self.jump(join);
        self.enter(first.block);
        self.jump(join);
        self.enter(join);
        for (nth, kept) in first.variables.iter().enumerate() {
            let variable = self.shape.assigned[bracket][nth];
            let held = self.variables[variable.index()];
            if *kept != held {
                let name = &self.unit.function.locals[variable.index()];
                self.variables[variable.index()] = self.joined((*kept, first.block), (held, second), name);
            }
        }
        let value = self.joined((first.value, first.block), (value, second), "");
        self.stack.push(Operand::Number(value));
    }

    fn open_loop(&mut self) {
        let from = self.current();
        let header = self.append("loop");
        self.jump(header);
        self.enter(header);
        let bracket = self.next_bracket();
        let n_assigned = self.shape.assigned[bracket].len();
        let phis = (0..n_assigned).map(|nth| self.phi_of(self.shape.assigned[bracket][nth], from)).collect();
        self.open.push(Open::Loop { bracket, header, phis });
    }

    fn close_loop(&mut self, variable: Local) {
        let condition = self.pop_truth();
        let step = self.pop_number();
        let Some(Open::Loop { bracket, header, phis }) = self.open.pop() else { unmatched() };
        let name = &self.unit.function.locals[variable.index()];
        let next = built(self.builder.build_float_add(self.variables[variable.index()], step, name));
        self.variables[variable.index()] = next;
        let from = self.current();
        for (phi, value) in phis.iter().zip(self.values_of(bracket)) {
            phi.add_incoming(&[(&value, from)]);
        }
        let after = self.append("after");
        built(self.builder.build_conditional_branch(condition, header, after));
        self.enter(after);
    }

    /// Makes a phi for the variable, with its value at the end of `from`, and lets the variable hold it.
    fn phi_of(&mut self, variable: Local, from: BasicBlock<'cx>) -> PhiValue<'cx> {
        let name = &self.unit.function.locals[variable.index()];
        let phi = built(self.builder.build_phi(self.cx.f64_type(), name));
        phi.add_incoming(&[(&self.variables[variable.index()], from)]);
        self.variables[variable.index()] = phi.as_basic_value().into_float_value();
        phi
    }

    fn joined(
        &self,
        first: (FloatValue<'cx>, BasicBlock<'cx>),
        second: (FloatValue<'cx>, BasicBlock<'cx>),
        name: &str,
    ) -> FloatValue<'cx> {
        let phi = built(self.builder.build_phi(self.cx.f64_type(), name));
        phi.add_incoming(&[(&first.0, first.1), (&second.0, second.1)]);
        phi.as_basic_value().into_float_value()
    }

    fn next_bracket(&mut self) -> usize {
        self.n_brackets += 1;
        self.n_brackets - 1
    }

    /// What the variables that the bracket assigns hold now.
    fn values_of(&self, bracket: usize) -> Vec<FloatValue<'cx>> {
        self.shape.assigned[bracket].iter().map(|variable| self.variables[variable.index()]).collect()
    }

    fn assign(&mut self, bracket: usize, values: &[FloatValue<'cx>]) {
        for (variable, value) in self.shape.assigned[bracket].iter().zip(values) {
            self.variables[variable.index()] = *value;
        }
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
        match self.pop() {
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

#[cold]
fn unmatched() -> ! {
    unreachable!("the resolver matches brackets")
}
