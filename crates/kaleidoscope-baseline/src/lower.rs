//! Lowering: IR to Cranelift's IR, in one walk over the operations, in SSA form at once.
//!
//! Variables are not memory: lowering tracks the value that each variable has at the current
//! position. Where control flow joins, the block gets a parameter for each variable that the `if`
//! or loop assigns. Counting code of some functions has its variables in the frame instead
//! (`frame.rs` says which).
//!
//! The result of `<` stays a truth value until an operation needs a number. Most often none does.

mod call;
mod count;
mod frame;
mod host_variable;
mod slot_thunk;
mod trip_thunk;

pub(crate) use call::Maths;
pub(crate) use slot_thunk::lower_slot_thunk;
pub(crate) use trip_thunk::lower_trip_thunk;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{self, Block, BlockArg, InsertBuilder, InstBuilder, Value, types};
use cranelift_codegen::packed_option::ReservedValue;
use kaleidoscope_ir::compile::Unit;
use kaleidoscope_ir::walk::{BackEdge, Emitter, Join, Region, walk};
use kaleidoscope_ir::{Arithmetic, Facts, Function, FunctionId, HostVariable, Local, MathsFunction, OpIdx};

use crate::Counters;
use call::{Signatures, signature};
use count::{CounterState, TailCalls};
use frame::Frame;
use slot_thunk::SlotThunk;

/// Lowers the unit's function into `func`, which is empty.
pub(crate) fn lower(
    func: &mut ir::Function,
    unit: &Unit,
    counters: Option<&Counters>,
    slot_thunk: Option<usize>,
    maths: &Maths,
) {
    let mut lowering = Lowering::new(func, unit, counters, slot_thunk, maths);
    lowering.begin();
    if walk(&unit.function, &mut lowering) {
        let value = lowering.pop_number();
        lowering.ins().return_(&[value]);
    }
}

/// A value on the operand stack.
#[derive(Clone, Copy)]
enum Operand {
    Number(Value),
    /// 1 or 0, as a truth value.
    Truth(Value),
    /// The value of a variable in the frame. It is loaded when it is used: most often behind a
    /// call, across which a register would have to be saved.
    Variable(Local),
}

/// What lowering remembers of an open `if`.
struct OpenIf {
    otherwise: Block,
    /// The values of the assigned variables before the `if`.
    before: Vec<Value>,
    /// The end of the first branch, once it has ended and if it is reachable.
    first: Option<BranchEnd>,
}

/// The end of a branch.
struct BranchEnd {
    block: Block,
    value: Value,
    /// The values of the assigned variables.
    variables: Vec<Value>,
}

struct Lowering<'a> {
    cursor: FuncCursor<'a>,
    unit: &'a Unit,
    facts: &'a Facts,
    counters: Option<&'a Counters>,
    maths: &'a Maths,
    signatures: Signatures,
    /// How tail calls are lowered, if there are any.
    tail_calls: Option<TailCalls>,
    stack: Vec<Operand>,
    /// The positions of [`Operand::Variable`]s in the operand stack.
    unread: Vec<usize>,
    variables: Vec<Value>,
    /// The variables' frame, if they are in memory.
    frame: Option<Frame>,
    counter_state: CounterState,
    slot_thunk: Option<SlotThunk>,
    /// Whether the code may have become invalid since it was entered: something was called, or code
    /// is repeated. New calls do not enter invalid code.
    may_be_invalid: bool,
}

impl<'a> Lowering<'a> {
    fn new(
        func: &'a mut ir::Function,
        unit: &'a Unit,
        counters: Option<&'a Counters>,
        slot_thunk: Option<usize>,
        maths: &'a Maths,
    ) -> Self {
        let function = &*unit.function;
        Self {
            cursor: FuncCursor::new(func),
            unit,
            facts: function.facts(),
            counters,
            maths,
            signatures: Signatures::default(),
            tail_calls: None,
            stack: Vec::with_capacity(function.max_stack as usize),
            unread: Vec::new(),
            variables: vec![Value::reserved_value(); function.locals.len()],
            frame: None,
            counter_state: CounterState::default(),
            slot_thunk: slot_thunk.map(SlotThunk::new),
            may_be_invalid: function.facts().has_tail_call,
        }
    }

    /// Makes the entry block, and the block that tail calls jump to.
    fn begin(&mut self) {
        let n_params = self.unit.function.n_params as usize;
        self.cursor.func.signature = signature(n_params);
        let entry = self.append();
        self.enter(entry);
        let args: Vec<_> = (0..n_params).map(|_| self.parameter(entry)).collect();
        self.make_frame();
        if self.facts.has_tail_call {
            self.begin_tail_calls(entry, &args);
        } else {
            self.set_parameters(&args);
        }
    }

    /// The variables for which control flow passes values at a region.
    fn assigned(&self, region: Region<'a>) -> &'a [Local] {
        if self.frame.is_some() { &[] } else { region.assigned }
    }

    /// The current values of the variables that the region assigns.
    fn values_of(&self, region: Region<'a>) -> Vec<Value> {
        self.assigned(region).iter().map(|variable| self.variables[variable.index()]).collect()
    }

    fn assign(&mut self, region: Region<'a>, values: &[Value]) {
        for (variable, value) in self.assigned(region).iter().zip(values) {
            self.variables[variable.index()] = *value;
        }
    }

    /// Adds a block parameter for each variable that the region assigns, as the variable's value.
    fn assign_parameters(&mut self, region: Region<'a>, block: Block) {
        for variable in self.assigned(region) {
            self.variables[variable.index()] = self.parameter(block);
        }
    }

    fn append(&mut self) -> Block {
        let block = self.cursor.func.dfg.make_block();
        self.cursor.func.layout.append_block(block);
        block
    }

    /// Appends a block that is laid out behind all others.
    fn append_cold(&mut self) -> Block {
        let block = self.append();
        self.cursor.func.layout.set_cold(block);
        block
    }

    fn enter(&mut self, block: Block) {
        self.cursor.goto_bottom(block);
    }

    fn current(&self) -> Block {
        self.cursor.current_block().expect("lowering begins in the entry block")
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

    /// Loads the variables on the operand stack, before the code assigns them or branches.
    fn load_variables(&mut self) {
        for at in std::mem::take(&mut self.unread) {
            let Operand::Variable(variable) = self.stack[at] else { unreachable!("`pop` keeps count") };
            self.stack[at] = Operand::Number(self.variable(variable));
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
            Operand::Variable(variable) => self.variable(variable),
        }
    }

    fn pop_numbers(&mut self, n: usize) -> Vec<Value> {
        let mut numbers: Vec<_> = (0..n).map(|_| self.pop_number()).collect();
        numbers.reverse();
        numbers
    }

    /// Whether a condition holds: it is ordered and not zero.
    fn pop_truth(&mut self) -> Value {
        match self.pop() {
            Operand::Truth(truth) => truth,
            Operand::Number(number) => self.holds(number),
            Operand::Variable(variable) => {
                let number = self.variable(variable);
                self.holds(number)
            }
        }
    }

    fn holds(&mut self, number: Value) -> Value {
        let zero = self.ins().f64const(0.0);
        self.ins().fcmp(FloatCC::OrderedNotEqual, number, zero)
    }
}

impl<'a> Emitter<'a> for Lowering<'a> {
    type If = OpenIf;
    /// The loop's first block.
    type Loop = Block;

    fn number(&mut self, number: f64) {
        let value = self.ins().f64const(number);
        self.push(value);
    }

    fn get(&mut self, variable: Local) {
        if self.frame.is_some() {
            self.unread.push(self.stack.len());
            self.stack.push(Operand::Variable(variable));
        } else {
            self.push(self.variables[variable.index()]);
        }
    }

    fn set(&mut self, variable: Local) {
        let value = self.pop_number();
        self.load_variables();
        self.set_variable(variable, value);
        self.push(value);
    }

    fn get_host(&mut self, variable: HostVariable) {
        let value = self.load_host(variable);
        self.push(value);
    }

    fn set_host(&mut self, variable: HostVariable) {
        let value = self.pop_number();
        self.store_host(variable, value);
        self.push(value);
    }

    fn drop_value(&mut self) {
        self.pop();
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
            Arithmetic::Power => self.call_library(MathsFunction::Pow, &[a, b]),
            Arithmetic::Less => {
                let less = ins.fcmp(FloatCC::UnorderedOrLessThan, a, b);
                self.stack.push(Operand::Truth(less));
                return;
            }
        };
        self.push(value);
    }

    fn square(&mut self) {
        let x = self.pop_number();
        let value = self.ins().fmul(x, x);
        self.push(value);
    }

    fn call(&mut self, _: OpIdx, callee: FunctionId, n_args: usize) -> Option<&'a Function> {
        let args = self.pop_numbers(n_args);
        let value = self.call_target(self.unit.call_target(callee), &args);
        self.push(value);
        None
    }

    fn end_inlinee(&mut self, _: bool) {
        unreachable!("the baseline compiler inlines nothing")
    }

    fn tail_call(&mut self) {
        let args = self.pop_numbers(self.unit.function.n_params as usize);
        self.lower_tail_call(args);
    }

    fn begin_if(&mut self, region: Region<'a>) -> OpenIf {
        let condition = self.pop_truth();
        self.load_variables();
        let (then, otherwise) = (self.append(), self.append());
        self.ins().brif(condition, then, &[], otherwise, &[]);
        self.enter(then);
        OpenIf { otherwise, before: self.values_of(region), first: None }
    }

    fn begin_else(&mut self, open: &mut OpenIf, region: Region<'a>, is_reachable: bool) {
        if is_reachable {
            let value = self.pop_number();
            let variables = self.values_of(region);
            open.first = Some(BranchEnd { block: self.current(), value, variables });
        }
        self.assign(region, &open.before);
        self.enter(open.otherwise);
    }

    fn end_if(&mut self, open: OpenIf, region: Region<'a>, join: Join) {
        let Some(first) = open.first else { return };
        if join == Join::First {
            self.enter(first.block);
            self.assign(region, &first.variables);
            self.push(first.value);
            return;
        }
        // The variables that differ, with their values at the end of each branch; then the value of
        // the `if`.
        let mut differing = Vec::new();
        let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
        for (variable, &first) in self.assigned(region).iter().zip(&first.variables) {
            let second = self.variables[variable.index()];
            if first != second {
                differing.push(*variable);
                firsts.push(first);
                seconds.push(second);
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

    fn begin_loop(&mut self, region: Region<'a>) -> Block {
        self.may_be_invalid = true;
        self.load_variables();
        let header = self.append();
        let args = self.values_of(region);
        self.jump(header, &args);
        self.enter(header);
        self.assign_parameters(region, header);
        header
    }

    fn end_loop(&mut self, header: Block, region: Region<'a>, back_edge: BackEdge<'_>) {
        let condition = self.pop_truth();
        let step = self.pop_number();
        let before = self.variable(back_edge.variable);
        let value = self.ins().fadd(before, step);
        self.set_variable(back_edge.variable, value);
        if let Some(counters) = self.counters {
            self.count_back_edge(counters, condition, header, region, &back_edge);
            return;
        }
        let args = arguments(&self.values_of(region));
        let after = self.append();
        self.ins().brif(condition, header, &args, after, &[]);
        self.enter(after);
    }
}

/// Values as arguments of a jump.
fn arguments(values: &[Value]) -> Vec<BlockArg> {
    values.iter().map(|&value| BlockArg::Value(value)).collect()
}
