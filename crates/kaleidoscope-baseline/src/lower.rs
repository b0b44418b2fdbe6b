//! A resolved function becomes Cranelift's IR in one pass over its operations, in SSA form at once.
//!
//! Variables are no memory: the value each one has at the current place is known while going along, and where control
//! flow joins, the block gets a parameter for each that the `if` or `for` assigns ([`Facts`] says which). In code that
//! counts some functions have them in their frame instead (`frame.rs` says which).
//!
//! The result of `<` stays a truth value until someone needs it as a number, since most often none does.
//!
//! No function here calls itself, however deep the program nests.

mod call;
mod counting;
mod frame;
mod scope;
mod trip_thunk;
mod variable;

pub(crate) use call::Maths;
pub(crate) use trip_thunk::lower_trip_thunk;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{self, Block, BlockArg, FuncRef, InsertBuilder, InstBuilder, Value, types};
use cranelift_codegen::packed_option::ReservedValue;
use kaleidoscope_ir::Facts;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::Unit;
use kaleidoscope_ir::{Arithmetic, Local, Op};

use crate::Counters;
use crate::arch::N_REGISTER_PARAMS;
use call::{Signatures, signature};
use counting::{Counting, Turning, anew_signature};
use frame::Frame;
use scope::Scope;

/// Makes the body of `func`, which is empty.
pub(crate) fn lower(
    func: &mut ir::Function,
    unit: &Unit,
    counters: Option<&Counters>,
    shape: &Facts,
    maths: &Maths,
) {
    Lowering::new(func, unit, counters, shape, maths).run();
}

/// What an operation takes and leaves.
#[derive(Clone, Copy)]
enum Operand {
    Number(Value),
    /// Stands for 1 or 0.
    Truth(Value),
    /// What a variable in the frame holds, which is read when it is needed: most often behind a call that would
    /// have it saved.
    Variable(Local),
}

/// The end of a branch that can be reached.
struct Branch {
    block: Block,
    value: Value,
    /// What the variables that the `if` assigns hold here.
    variables: Vec<Value>,
}

/// A bracket whose end has not been reached.
enum Open {
    If {
        bracket: usize,
        otherwise: Block,
        /// What the variables that the `if` assigns held before.
        before: Vec<Value>,
        /// The first branch, once it has ended and unless it ends in a tail call.
        first: Option<Branch>,
        /// How many variables were set before.
        n_set: usize,
    },
    Loop {
        turning: Turning,
        /// How many variables were set before.
        n_set: usize,
    },
}

struct Lowering<'a> {
    cursor: FuncCursor<'a>,
    unit: &'a Unit,
    counters: Option<&'a Counters>,
    shape: &'a Facts,
    maths: &'a Maths,
    signatures: Signatures,
    /// The block that code goes to; `None` behind a tail call.
    block: Option<Block>,
    /// What tail calls do, if there are any.
    tail_calls: Option<TailCalls>,
    stack: Vec<Operand>,
    /// Where on the stack there are variables.
    unread: Vec<usize>,
    variables: Vec<Value>,
    /// Where the variables are instead, if they are memory.
    frame: Option<Frame>,
    scope: Scope,
    open: Vec<Open>,
    /// How many brackets have been opened so far, and how many of them are loops.
    n_brackets: usize,
    n_loops: usize,
    counting: Option<Counting>,
}

/// What calls of the function itself in tail position do.
#[derive(Clone, Copy)]
enum TailCalls {
    /// They jump to a block with a parameter for each of the function's, unless these are in the frame.
    Jump { start: Block },
    /// The same, with one parameter more: how many are left before one is reported.
    Count { start: Block, left: Value },
    /// They enter the function anew, around which they are counted, and hand over how many are left.
    Anew { again: FuncRef, left: Value },
}

impl<'a> Lowering<'a> {
    fn new(
        func: &'a mut ir::Function,
        unit: &'a Unit,
        counters: Option<&'a Counters>,
        shape: &'a Facts,
        maths: &'a Maths,
    ) -> Self {
        let function = &*unit.function;
        func.signature = signature(function.n_params as usize);
        if enters_anew(unit, counters, shape) {
            func.signature = anew_signature(function.n_params as usize);
        }
        let mut lowering = Self {
            cursor: FuncCursor::new(func),
            unit,
            counters,
            shape,
            maths,
            signatures: Signatures::default(),
            block: None,
            tail_calls: None,
            stack: Vec::with_capacity(function.max_stack as usize),
            unread: Vec::new(),
            variables: vec![Value::reserved_value(); function.locals.len()],
            frame: None,
            scope: Scope::new(function),
            open: Vec::new(),
            n_brackets: 0,
            n_loops: 0,
            counting: counters.map(|counters| Counting::new(counters, function)),
        };
        lowering.begin();
        lowering
    }

    /// Makes the entry, and what tail calls come back to.
    fn begin(&mut self) {
        let entry = self.append();
        self.enter(entry);
        let n_params = self.unit.function.n_params as usize;
        let args: Vec<_> = (0..n_params).map(|_| self.parameter(entry)).collect();
        self.make_frame();
        if enters_anew(self.unit, self.counters, self.shape) {
            let left = self.cursor.func.dfg.append_block_param(entry, types::I64);
            self.tail_calls = Some(TailCalls::Anew { again: self.again(), left });
        }
        if self.tail_calls.is_some() || !self.shape.has_tail_call {
            self.set_parameters(&args);
            return;
        }
        let start = self.append();
        let mut to_start = self.pass(&args);
        let all = self.all_tail_calls();
        to_start.extend(all);
        self.jump(start, &to_start);
        self.enter(start);
        if self.frame.is_none() {
            let params: Vec<_> = (0..n_params).map(|_| self.parameter(start)).collect();
            self.set_parameters(&params);
        }
        self.tail_calls = Some(match all {
            None => TailCalls::Jump { start },
            Some(_) => {
                let left = self.cursor.func.dfg.append_block_param(start, types::I64);
                TailCalls::Count { start, left }
            }
        });
    }

    fn run(mut self) {
        let unit = self.unit;
        for (at, op) in unit.function.ops.iter().enumerate() {
            match *op {
                Op::Number(number) => {
                    let value = self.ins().f64const(number);
                    self.push(value);
                }
                Op::Get(variable) => {
                    self.scope.read(variable, at);
                    self.push_variable(variable);
                }
                Op::Set(variable) => {
                    let value = self.pop_number();
                    self.read_variables();
                    self.set(variable, value);
                    self.scope.set(variable);
                    self.push(value);
                }
                Op::GetHost(variable) => self.get_host(variable),
                Op::SetHost(variable) => self.set_host(variable),
                Op::Drop => {
                    self.pop();
                }
                Op::Arithmetic(arithmetic) => self.arithmetic(arithmetic),
                Op::Square => {
                    let x = self.pop_number();
                    let value = self.ins().fmul(x, x);
                    self.push(value);
                }
                Op::Call { callee, n_args } => self.call(callee, n_args as usize),
                Op::TailCall => self.tail_call(),
                Op::If { .. } => self.open_if(),
                Op::Else { .. } => self.turn_to_else(),
                Op::End => self.close_if(),
                Op::Loop => self.open_loop(at),
                Op::Next { variable, .. } => self.close_loop(variable, at),
            }
        }
        if self.block.is_some() {
            let value = self.pop_number();
            self.ins().return_(&[value]);
        }
    }

    fn arithmetic(&mut self, arithmetic: Arithmetic) {
        let b = self.pop_number();
        let a = self.pop_number();
        let ins = self.ins();
        let value = match arithmetic {
            Arithmetic::Add => ins.fadd(a, b),
            Arithmetic::Subtract => ins.fsub(a, b),
            Arithmetic::Multiply => ins.fmul(a, b),
            Arithmetic::Divide => ins.fdiv(a, b),
            Arithmetic::Power => self.call_maths(MathsFunction::Pow, &[a, b]),
            Arithmetic::Less => {
                let less = ins.fcmp(FloatCC::UnorderedOrLessThan, a, b);
                self.stack.push(Operand::Truth(less));
                return;
            }
        };
        self.push(value);
    }

    fn tail_call(&mut self) {
        let mut args = self.pop_numbers(self.unit.function.n_params as usize);
        match self.tail_calls.expect("the shape saw this tail call") {
            TailCalls::Jump { start } => {
                let to_start = self.pass(&args);
                self.jump(start, &to_start);
            }
            TailCalls::Count { start, left } => self.count_tail_call(start, left, &args),
            TailCalls::Anew { again, left } => {
                args.push(left);
                self.ins().return_call(again, &args);
            }
        }
        self.block = None;
    }

    fn open_if(&mut self) {
        let condition = self.pop_truth();
        self.read_variables();
        let (then, otherwise) = (self.append(), self.append());
        self.ins().brif(condition, then, &[], otherwise, &[]);
        self.enter(then);
        let bracket = self.next_bracket();
        let before = self.values_of(bracket);
        self.open.push(Open::If { bracket, otherwise, before, first: None, n_set: self.scope.n_set() });
    }

    fn turn_to_else(&mut self) {
        let Some(Open::If { bracket, otherwise, before, n_set, .. }) = self.open.pop() else { unmatched() };
        let first = self.block.map(|block| {
            let value = self.pop_number();
            Branch { block, value, variables: self.values_of(bracket) }
        });
        self.assign(bracket, &before);
        self.scope.leave(n_set);
        self.enter(otherwise);
        self.open.push(Open::If { bracket, otherwise, before, first, n_set });
    }

    fn close_if(&mut self) {
        let Some(Open::If { bracket, first, n_set, .. }) = self.open.pop() else { unmatched() };
        // Where the first branch ended in a tail call, the second one simply goes on.
        let Some(first) = first else { return };
        self.scope.leave(n_set);
        if self.block.is_none() {
            self.enter(first.block);
            self.assign(bracket, &first.variables);
            self.push(first.value);
            return;
        }
        // The variables that differ, and what they hold behind each branch; then the value of the `if`.
        let mut differing = Vec::new();
        let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
        for (variable, &kept) in self.assigned(bracket).iter().zip(&first.variables) {
            let held = self.variables[variable.index()];
            if kept != held {
                differing.push(*variable);
                firsts.push(kept);
                seconds.push(held);
            }
        }
        firsts.push(first.value);
        seconds.push(self.pop_number());
        let join = self.append();
        self.jump(join, &seconds);
        self.enter(first.block);
        self.jump(join, &firsts);
        self.enter(join);
        for variable in differing {
            self.variables[variable.index()] = self.parameter(join);
        }
        let value = self.parameter(join);
        self.push(value);
    }

    fn open_loop(&mut self, at: usize) {
        self.read_variables();
        let bracket = self.next_bracket();
        let header = self.append();
        let args = self.values_of(bracket);
        self.jump(header, &args);
        self.enter(header);
        self.assign_parameters(bracket, header);
        let turning = Turning { bracket, number: self.n_loops, header, at };
        self.open.push(Open::Loop { turning, n_set: self.scope.n_set() });
        self.n_loops += 1;
    }

    fn close_loop(&mut self, variable: Local, at: usize) {
        let condition = self.pop_truth();
        let step = self.pop_number();
        let Some(Open::Loop { turning, n_set }) = self.open.pop() else { unmatched() };
        self.scope.leave(n_set);
        self.scope.read(variable, at);
        let before = self.get(variable);
        let value = self.ins().fadd(before, step);
        self.set(variable, value);
        if self.counting.is_some() {
            self.turn_counted(condition, &turning);
            return;
        }
        let args = arguments(&self.values_of(turning.bracket));
        let after = self.append();
        self.ins().brif(condition, turning.header, &args, after, &[]);
        self.enter(after);
    }

    fn next_bracket(&mut self) -> usize {
        self.n_brackets += 1;
        self.n_brackets - 1
    }

    /// The variables for which control flow brings values where it joins at the bracket.
    fn assigned(&self, bracket: usize) -> &'a [Local] {
        if self.frame.is_some() { &[] } else { &self.shape.assigned[bracket] }
    }

    /// What the variables that the bracket assigns hold now.
    fn values_of(&self, bracket: usize) -> Vec<Value> {
        self.assigned(bracket).iter().map(|variable| self.variables[variable.index()]).collect()
    }

    fn assign(&mut self, bracket: usize, values: &[Value]) {
        for (variable, value) in self.assigned(bracket).iter().zip(values) {
            self.variables[variable.index()] = *value;
        }
    }

    /// Gives the block a parameter for each variable that the bracket assigns, and lets the variable hold it.
    fn assign_parameters(&mut self, bracket: usize, block: Block) {
        for variable in self.assigned(bracket) {
            self.variables[variable.index()] = self.parameter(block);
        }
    }

    fn append(&mut self) -> Block {
        let block = self.cursor.func.dfg.make_block();
        self.cursor.func.layout.append_block(block);
        block
    }

    fn enter(&mut self, block: Block) {
        self.cursor.goto_bottom(block);
        self.block = Some(block);
    }

    fn parameter(&mut self, block: Block) -> Value {
        self.cursor.func.dfg.append_block_param(block, types::F64)
    }

    fn jump(&mut self, block: Block, args: &[Value]) {
        let args = arguments(args);
        self.ins().jump(block, &args);
    }

    fn ins(&mut self) -> InsertBuilder<'_, &mut FuncCursor<'a>> {
        self.cursor.ins()
    }

    fn push(&mut self, number: Value) {
        self.stack.push(Operand::Number(number));
    }

    fn push_variable(&mut self, variable: Local) {
        if self.frame.is_some() {
            self.unread.push(self.stack.len());
            self.stack.push(Operand::Variable(variable));
        } else {
            self.push(self.variables[variable.index()]);
        }
    }

    /// Reads the variables on the stack, before something else may be in them, or may not have been read on another way here.
    fn read_variables(&mut self) {
        for at in std::mem::take(&mut self.unread) {
            let Operand::Variable(variable) = self.stack[at] else { unreachable!("`pop` keeps count") };
            self.stack[at] = Operand::Number(self.get(variable));
        }
    }

    fn pop(&mut self) -> Operand {
        let operand = self.stack.pop().expect("each operation finds its operands");
        if matches!(operand, Operand::Variable(_)) {
            self.unread.pop();
        }
        operand
    }

    fn pop_number(&mut self) -> Value {
        match self.pop() {
            Operand::Number(number) => number,
            Operand::Truth(truth) => self.ins().fcvt_from_uint(types::F64, truth),
            Operand::Variable(variable) => self.get(variable),
        }
    }

    fn pop_numbers(&mut self, n: usize) -> Vec<Value> {
        let mut numbers: Vec<_> = (0..n).map(|_| self.pop_number()).collect();
        numbers.reverse();
        numbers
    }

    /// Whether a condition holds: ordered and not zero.
    fn pop_truth(&mut self) -> Value {
        match self.pop() {
            Operand::Truth(truth) => truth,
            Operand::Number(number) => self.holds(number),
            Operand::Variable(variable) => {
                let number = self.get(variable);
                self.holds(number)
            }
        }
    }

    fn holds(&mut self, number: Value) -> Value {
        let zero = self.ins().f64const(0.0);
        self.ins().fcmp(FloatCC::OrderedNotEqual, number, zero)
    }
}

/// Whether tail calls are counted around the code: as long as all parameters are in registers.
fn enters_anew(unit: &Unit, counters: Option<&Counters>, shape: &Facts) -> bool {
    counters.is_some() && shape.has_tail_call && unit.function.n_params as usize <= N_REGISTER_PARAMS
}

/// Values as arguments of a jump.
fn arguments(values: &[Value]) -> Vec<BlockArg> {
    values.iter().map(|&value| BlockArg::Value(value)).collect()
}

#[cold]
fn unmatched() -> ! {
    unreachable!("the resolver matches brackets")
}
