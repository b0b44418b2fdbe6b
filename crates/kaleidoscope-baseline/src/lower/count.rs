//! Counting: the countdown at a loop's back edge and at tail calls, and the code for a trip.
//!
//! Whatever can be is counted in counter code around the function (`counter_code.rs`): entries,
//! tail calls of functions whose parameters are all in registers, and back edges of loops whose
//! variables are in the frame. The rest is counted here.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, AbiParam, Block, BlockArg, ExtFuncData, ExternalName, FuncRef, InstBuilder, MemFlagsData, SigRef,
    Signature, StackSlot, Value, types,
};
use cranelift_codegen::isa::CallConv;
use kaleidoscope_ir::Local;
use kaleidoscope_ir::walk::{BackEdge, Region};

use super::call::signature;
use super::frame::Frame;
use super::trip_thunk::{offset, osr_buffer, trip, trip_thunk_signature};
use super::{Lowering, arguments};
use crate::Counters;
use crate::arch::N_REGISTER_PARAMS;
use crate::counter_code::{CounterCode, ENTRY};

/// How calls of the function to itself in tail position are lowered.
#[derive(Clone, Copy)]
pub(super) enum TailCalls {
    /// As jumps to a block with a parameter for each parameter of the function. It has none if the
    /// parameters are in the frame.
    Jump { start: Block },
    /// As jumps to such a block, with one more parameter: the number of tail calls until a trip.
    CountedJump { start: Block, left: Value },
    /// As tail calls of counter code, which counts and enters the function again. They pass on the
    /// number of tail calls until a trip.
    CounterCode { target: FuncRef, left: Value },
}

/// What code for trips of back edges shares. Made for the first trip.
#[derive(Default)]
pub(super) struct CounterState {
    /// The trip thunk's signature, and the OSR buffer that it gets.
    trip_thunk: Option<(SigRef, StackSlot)>,
}

impl<'a> Lowering<'a> {
    /// Chooses how tail calls are lowered, and assigns the arguments to the parameters. Lowering
    /// continues in the block that tail calls jump to.
    pub(super) fn begin_tail_calls(&mut self, entry: Block, args: &[Value]) {
        if self.counters.is_some() && args.len() <= N_REGISTER_PARAMS {
            self.cursor.func.signature = counted_signature(args.len());
            let left = self.cursor.func.dfg.append_block_param(entry, types::I64);
            let target = self.self_tail_call();
            self.tail_calls = Some(TailCalls::CounterCode { target, left });
            self.set_parameters(args);
            return;
        }
        let start = self.append();
        let mut to_start = self.pass(args);
        let left = self.counters.map(|counters| self.tail_calls_until_trip(counters));
        to_start.extend(left);
        self.jump(start, &to_start);
        self.enter(start);
        if self.frame.is_none() {
            let params: Vec<_> = args.iter().map(|_| self.parameter(start)).collect();
            self.set_parameters(&params);
        }
        self.tail_calls = Some(match left {
            None => TailCalls::Jump { start },
            Some(_) => {
                let left = self.cursor.func.dfg.append_block_param(start, types::I64);
                TailCalls::CountedJump { start, left }
            }
        });
    }

    pub(super) fn lower_tail_call(&mut self, mut args: Vec<Value>) {
        match self.tail_calls.expect("the facts include this tail call") {
            TailCalls::Jump { start } => {
                let to_start = self.pass(&args);
                self.jump(start, &to_start);
            }
            TailCalls::CountedJump { start, left } => self.count_tail_call(start, left, &args),
            TailCalls::CounterCode { target, left } => {
                args.push(left);
                self.ins().return_call(target, &args);
            }
        }
    }

    fn tail_calls_until_trip(&mut self, counters: &Counters) -> Value {
        self.ins().iconst(types::I64, i64::from(counters.tail_calls))
    }

    /// The counter code that tail calls call.
    fn self_tail_call(&mut self) -> FuncRef {
        let func = &mut *self.cursor.func;
        let signature = func.signature.clone();
        let signature = func.import_signature(signature);
        refer(func, CounterCode::SelfTailCall, signature)
    }

    /// Counts a tail call of a function whose parameters are not all in registers: they stay in
    /// their frame. At a trip, the code reports it and continues in other code if asked to.
    fn count_tail_call(&mut self, start: Block, left: Value, args: &[Value]) {
        let counters = self.counters.expect("only counting code has counted jumps");
        let mut to_start = self.pass(args);
        let tripped = self.append_cold();
        let left = self.ins().iadd_imm_s(left, -1);
        let n_variables = to_start.len();
        to_start.push(left);
        self.ins().brif(left, start, &arguments(&to_start), tripped, &[]);
        self.enter(tripped);
        to_start.truncate(n_variables);
        let trip = [f64::from(counters.code_number), ENTRY].map(|number| self.ins().f64const(number));
        let answer = self.call_address(counters.on_trip, &trip);
        let left = self.tail_calls_until_trip(counters);
        to_start.push(left);
        let code = self.ins().fcvt_to_sint_sat(types::I64, answer);
        let leave = self.append_cold();
        self.ins().brif(code, leave, &[], start, &arguments(&to_start));
        self.enter(leave);
        let value = self.call_code(code, args);
        self.ins().return_(&[value]);
    }

    /// Ends a loop whose back edges are counted. Lowering continues behind the loop.
    pub(super) fn count_back_edge(
        &mut self,
        counters: &Counters,
        condition: Value,
        header: Block,
        region: Region<'a>,
        back_edge: &BackEdge<'_>,
    ) {
        let args = arguments(&self.values_of(region));
        let (repeat, after) = (self.append(), self.append());
        self.ins().brif(condition, repeat, &[], after, &args);
        self.enter(repeat);
        if let Some(Frame(frame)) = self.frame {
            let has_ended = self.call_back_edge_code(back_edge.loop_number, frame);
            self.ins().brif(has_ended, after, &[], header, &[]);
        } else {
            let tripped = self.append_cold();
            let has_tripped = self.count_down(counters.back_edges(back_edge.loop_number));
            self.ins().brif(has_tripped, tripped, &[], header, &args);
            self.enter(tripped);
            let (has_ended, results) = self.offer_osr(counters, region, back_edge);
            self.ins().brif(has_ended, after, &results, header, &results);
        }
        self.enter(after);
        self.assign_parameters(region, after);
    }

    /// Calls the counter code of a loop whose variables are in the frame. Returns whether OSR code
    /// ran the loop to its end. The loop calls in each iteration anyway: one more call takes little
    /// time, and compiles in half the time of counting here.
    fn call_back_edge_code(&mut self, loop_number: usize, frame: StackSlot) -> Value {
        let func = &mut *self.cursor.func;
        let signature = func.import_signature(back_edge_signature());
        let target = refer(func, CounterCode::BackEdge(loop_number), signature);
        let variables = self.ins().stack_addr(types::I64, frame, offset(Local::new(0)));
        let call = self.ins().call(target, &[variables]);
        self.cursor.func.dfg.first_result(call)
    }

    /// Reports a trip, with the loop's variables in the OSR buffer. Returns whether OSR code ran
    /// the loop to its end, and the values of the variables that the loop assigns: at its end, or
    /// at the beginning of the next iteration.
    fn offer_osr(
        &mut self,
        counters: &Counters,
        region: Region<'a>,
        back_edge: &BackEdge<'_>,
    ) -> (Value, Vec<BlockArg>) {
        let assigned = self.assigned(region);
        let mut passed: Vec<_> = back_edge.live().chain(assigned.iter().copied()).collect();
        passed.sort_unstable();
        passed.dedup();
        let (signature, buffer) = self.trip_thunk();
        for variable in passed {
            let value = self.variables[variable.index()];
            self.ins().stack_store(types::I64, value, buffer, offset(variable));
        }
        let has_ended = self.report_trip(counters, back_edge.loop_number, signature, buffer);
        let results = assigned.iter().map(|&variable| {
            BlockArg::Value(self.ins().stack_load(types::I64, types::F64, buffer, offset(variable)))
        });
        let results = results.collect();
        (has_ended, results)
    }

    /// Subtracts 1 from the counter at this address. Returns whether it tripped.
    fn count_down(&mut self, counter: usize) -> Value {
        let counter = self.address(counter);
        let before = self.load(types::I64, counter);
        let left = self.ins().iadd_imm_s(before, -1);
        self.ins().store(MemFlagsData::trusted(), left, counter, 0);
        self.ins().icmp_imm_s(IntCC::SignedLessThanOrEqual, left, 0)
    }

    /// Reports the trip of a loop's counter through the trip thunk. Returns whether OSR code ran
    /// the loop to its end. The call preserves all registers, so the loop's values stay in theirs:
    /// the register allocator does not know how seldom the call happens.
    fn report_trip(
        &mut self,
        counters: &Counters,
        loop_number: usize,
        signature: SigRef,
        buffer: StackSlot,
    ) -> Value {
        let args = [
            self.ins().iconst(types::I64, trip(counters.code_number, loop_number as i32)),
            self.address(counters.osr_entry(loop_number)),
            self.ins().stack_addr(types::I64, buffer, 0),
        ];
        let thunk = counters.trip_thunk.expect("counters of code with loops have a trip thunk");
        let thunk = self.address(thunk);
        self.ins().call_indirect(signature, thunk, &args);
        self.ins().stack_load(types::I64, types::I64, buffer, 0)
    }

    fn trip_thunk(&mut self) -> (SigRef, StackSlot) {
        let n_variables = self.unit.function.locals.len();
        let func = &mut *self.cursor.func;
        *self.counter_state.trip_thunk.get_or_insert_with(|| {
            let buffer = osr_buffer(func, n_variables);
            (func.import_signature(trip_thunk_signature()), buffer)
        })
    }
}

/// The signature of code whose tail calls are counted in counter code. As long as all parameters
/// are in registers, it is the C ABI of doubles with one more parameter: the number of tail calls
/// until a trip.
fn counted_signature(n_params: usize) -> Signature {
    let mut signature = signature(n_params);
    signature.call_conv = CallConv::Tail;
    signature.params.push(AbiParam::new(types::I64));
    signature
}

/// The C ABI of the counter code of a back edge: takes the address of the variables, and returns
/// whether OSR code ran the loop to its end.
fn back_edge_signature() -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.push(AbiParam::new(types::I64));
    signature.returns.push(AbiParam::new(types::I64));
    signature
}

/// Imports counter code, to be jumped to or called.
fn refer(func: &mut ir::Function, target: CounterCode, signature: SigRef) -> FuncRef {
    let name = ExternalName::User(func.declare_imported_user_function(target.name()));
    func.import_function(ExtFuncData { name, signature, colocated: true, patchable: false })
}
