//! What is added to code that counts ([`Counters`]): countdowns where loops turn, and out of the way the calls for when one has
//! run out. What can be is counted around the code (`counter_code.rs`): entries, tail calls of functions whose parameters are all in registers,
//! and turns of loops whose variables are in the frame.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, AbiParam, Block, BlockArg, ExtFuncData, ExternalName, FuncRef, InstBuilder, MemFlagsData, SigRef,
    Signature, StackSlot, Value, types,
};
use cranelift_codegen::isa::CallConv;
use kaleidoscope_ir::{Function, Local};

use super::call::signature;
use super::frame::Frame;
use super::trip_thunk::{exchange, offset, report, thunk_signature};
use super::{Lowering, arguments};
use crate::Counters;
use crate::compiler::own_slot;
use crate::counter_code::{CounterCode, ENTRY};

/// What code that counts needs to know.
pub(super) struct Counting {
    counters: Counters,
    /// How many variables are handed over, if a loop is left.
    n_variables: usize,
    /// How the thunk is called, and where it leaves its answer; made for the first call.
    thunk: Option<(SigRef, StackSlot)>,
}

impl Counting {
    pub(super) fn new(counters: &Counters, function: &Function) -> Self {
        Self { counters: *counters, n_variables: function.locals.len(), thunk: None }
    }
}

/// A loop that ends.
pub(super) struct Turning {
    pub(super) bracket: usize,
    /// Its number among the loops.
    pub(super) number: usize,
    pub(super) header: Block,
    /// Where its first operation is.
    pub(super) at: usize,
}

impl Lowering<'_> {
    /// As many tail calls as there are before one is reported, if they are counted.
    pub(super) fn all_tail_calls(&mut self) -> Option<Value> {
        let counters = self.counters.filter(|_| self.shape.has_tail_call)?;
        Some(self.ins().iconst(types::I64, i64::from(counters.tail_calls)))
    }

    /// Where tail calls enter the function anew.
    pub(super) fn again(&mut self) -> FuncRef {
        let func = &mut *self.cursor.func;
        let signature = func.signature.clone();
        let signature = func.import_signature(signature);
        refer(func, CounterCode::SelfTailCall, signature)
    }

    /// A tail call of a function not all of whose parameters are in registers: they stay in their frame. When enough of them have
    /// been made, it reports that, and calls better code if there is any.
    pub(super) fn count_tail_call(&mut self, start: Block, left: Value, args: &[Value]) {
        let mut to_start = self.pass(args);
        let report = self.append_cold();
        let left = self.ins().iadd_imm_s(left, -1);
        let n_variables = to_start.len();
        to_start.push(left);
        self.ins().brif(left, start, &arguments(&to_start), report, &[]);
        self.enter(report);
        to_start.truncate(n_variables);
        let counters = self.counting().counters;
        let entry = [f64::from(counters.code_number), ENTRY].map(|number| self.ins().f64const(number));
        let answer = self.call_address(counters.on_trip, &entry);
        to_start.extend(self.all_tail_calls());
        let Some(slot) = own_slot(self.unit) else {
            self.jump(start, &to_start);
            return;
        };
        let is_better = self.holds(answer);
        let better = self.append_cold();
        self.ins().brif(is_better, better, &[], start, &arguments(&to_start));
        self.enter(better);
        let value = self.call_slot(slot, args);
        self.ins().return_(&[value]);
    }

    /// Ends a loop whose turns are counted, and goes on behind it.
    pub(super) fn turn_counted(&mut self, condition: Value, turning: &Turning) {
        let args = arguments(&self.values_of(turning.bracket));
        let (turn, after) = (self.append(), self.append());
        self.ins().brif(condition, turn, &[], after, &args);
        self.enter(turn);
        if let Some(frame) = self.frame.as_ref().map(Frame::slot) {
            let is_left = self.turn_around(turning.number, frame);
            self.ins().brif(is_left, after, &[], turning.header, &[]);
        } else {
            let out = self.append_cold();
            let cell = self.counting().counters.back_edges(turning.number);
            let has_run_out = self.count(cell);
            self.ins().brif(has_run_out, out, &[], turning.header, &args);
            self.enter(out);
            let (is_left, left) = self.offer_loop(turning);
            self.ins().brif(is_left, after, &left, turning.header, &args);
        }
        self.enter(after);
        self.assign_parameters(turning.bracket, after);
    }

    /// A turn of a loop whose variables are in the frame, counted around the code; whether the loop is left. The loop
    /// calls in each turn anyway: one more call takes little time, and half as much to make as counting here.
    fn turn_around(&mut self, number: usize, frame: StackSlot) -> Value {
        let func = &mut *self.cursor.func;
        let signature = func.import_signature(turn_signature());
        let turn = refer(func, CounterCode::BackEdge(number), signature);
        let variables = self.ins().stack_addr(types::I64, frame, offset(Local::new(0)));
        let call = self.ins().call(turn, &[variables]);
        self.cursor.func.dfg.first_result(call)
    }

    /// Reports a turn, with the variables that the loop reads or assigns at hand. Whether the loop has been left, and
    /// if so, what those that it assigns hold now.
    fn offer_loop(&mut self, turning: &Turning) -> (Value, Vec<BlockArg>) {
        let assigned = self.assigned(turning.bracket);
        self.hand_over(turning, assigned);
        let is_left = self.report(turning.number);
        let (_, exchange) = self.thunk();
        let left = assigned.iter().map(|&variable| {
            BlockArg::Value(self.ins().stack_load(types::I64, types::F64, exchange, offset(variable)))
        });
        let left = left.collect();
        (is_left, left)
    }

    /// Stores the variables where better code finds them.
    fn hand_over(&mut self, turning: &Turning, assigned: &[Local]) {
        let mut handed_over: Vec<_> =
            self.scope.read_since(turning.at).chain(assigned.iter().copied()).collect();
        handed_over.sort_unstable();
        handed_over.dedup();
        let (_, exchange) = self.thunk();
        for variable in handed_over {
            let value = self.variables[variable.index()];
            self.ins().stack_store(types::I64, value, exchange, offset(variable));
        }
    }

    /// Takes 1 off the countdown in the cell; whether it has run out.
    fn count(&mut self, cell: usize) -> Value {
        let cell = self.address(cell);
        let before = self.load(types::I64, cell);
        let left = self.ins().iadd_imm_s(before, -1);
        self.ins().store(MemFlagsData::trusted(), left, cell, 0);
        self.ins().icmp_imm_s(IntCC::SignedLessThanOrEqual, left, 0)
    }

    /// Reports that the countdown of a loop has run out; whether the loop is left. The call keeps all registers, so
    /// that what loops have in registers stays there: no code generator knows how seldom it is made.
    fn report(&mut self, number: usize) -> Value {
        let (signature, exchange) = self.thunk();
        let counters = self.counting().counters;
        let args = [
            self.ins().iconst(types::I64, report(counters.code_number, number as i32)),
            self.address(counters.osr_entry(number)),
            self.ins().stack_addr(types::I64, exchange, 0),
        ];
        let thunk = counters.trip_thunk.expect("who has code with loops made gives the thunk");
        let thunk = self.address(thunk);
        self.ins().call_indirect(signature, thunk, &args);
        self.ins().stack_load(types::I64, types::I64, exchange, 0)
    }

    fn thunk(&mut self) -> (SigRef, StackSlot) {
        if let Some(known) = self.counting().thunk {
            return known;
        }
        let n_variables = self.counting().n_variables;
        let func = &mut *self.cursor.func;
        let exchange = exchange(func, n_variables);
        let made = (func.import_signature(thunk_signature()), exchange);
        self.counting().thunk = Some(made);
        made
    }

    fn counting(&mut self) -> &mut Counting {
        self.counting.as_mut().expect("only code that counts gets here")
    }

    /// A block that is put behind all others.
    fn append_cold(&mut self) -> Block {
        let block = self.append();
        self.cursor.func.layout.set_cold(block);
        block
    }
}

/// Of code that tail calls enter anew. As long as all parameters are in registers, it is the C ABI of doubles, with one more
/// parameter: how many tail calls are left before one is reported.
pub(super) fn anew_signature(n_params: usize) -> Signature {
    let mut signature = signature(n_params);
    signature.call_conv = CallConv::Tail;
    signature.params.push(AbiParam::new(types::I64));
    signature
}

/// The C ABI of what is called at a turn: the address of the variables; whether the loop is left.
fn turn_signature() -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.push(AbiParam::new(types::I64));
    signature.returns.push(AbiParam::new(types::I64));
    signature
}

/// Something around the code, to be jumped to or called.
fn refer(func: &mut ir::Function, target: CounterCode, signature: SigRef) -> FuncRef {
    let name = ExternalName::User(func.declare_imported_user_function(target.name()));
    func.import_function(ExtFuncData { name, signature, colocated: true, patchable: false })
}
