//! The thunk through which loops report: it keeps all registers, asks whether to leave, and does what leaving takes.
//!
//! What it is called with are whole numbers and addresses, so that no register for doubles is needed either. Its answer
//! is left in memory, because no convention that keeps all registers returns anything.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{
    self, AbiParam, Block, InstBuilder, MemFlagsData, Signature, StackSlot, StackSlotData, StackSlotKind,
    Value, types,
};
use cranelift_codegen::isa::CallConv;
use kaleidoscope_ir::Local;

use super::call::signature;

/// The size of a variable and of the answer, in bytes.
const WORD: usize = 8;

/// The thunk's parameters: what has run out, as a [report], the address of the cell with the code for the rest of the
/// loop, and the address of an [exchange].
pub(super) fn thunk_signature() -> Signature {
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params = vec![AbiParam::new(types::I64); 3];
    signature
}

/// What has run out, in one word: the number of the body, and of its loop.
pub(super) fn report(body: u32, number: i32) -> i64 {
    i64::from(body) << 32 | i64::from(number as u32)
}

/// Where the thunk leaves its answer: not 0 when the loop has been left. Behind it, room for so many
/// variables.
pub(super) fn exchange(func: &mut ir::Function, n_variables: usize) -> StackSlot {
    let n_bytes = WORD * (1 + n_variables);
    func.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, n_bytes as u32, 3))
}

/// Where a variable is in an exchange.
pub(super) fn offset(variable: Local) -> i32 {
    (WORD * (1 + variable.index())) as i32
}

/// Makes the thunk for a function with the C ABI of doubles.
pub(crate) fn lower_trip_thunk(func: &mut ir::Function, on_trip: usize) {
    func.signature = thunk_signature();
    let mut thunk = Thunk { cursor: FuncCursor::new(func) };
    let [entry, asked_to, run, stays] = [(); 4].map(|()| thunk.append());

    let [report, cell, exchange] =
        [(); 3].map(|()| thunk.cursor.func.dfg.append_block_param(entry, types::I64));
    thunk.cursor.goto_bottom(entry);
    let body = thunk.cursor.ins().ushr_imm_u(report, 32);
    let number = thunk.cursor.ins().ireduce(types::I32, report);
    let args = [body, number].map(|number| thunk.cursor.ins().fcvt_from_sint(types::F64, number));
    let answer = thunk.call(on_trip, &args);
    let zero = thunk.cursor.ins().f64const(0.0);
    let holds = thunk.cursor.ins().fcmp(FloatCC::OrderedNotEqual, answer, zero);
    thunk.cursor.ins().brif(holds, asked_to, &[], stays, &[]);

    // Whoever has answered may have taken the code away again meanwhile.
    thunk.cursor.goto_bottom(asked_to);
    let code = thunk.cursor.ins().load(types::I64, MemFlagsData::trusted(), cell, 0);
    thunk.cursor.ins().brif(code, run, &[], stays, &[]);

    thunk.cursor.goto_bottom(run);
    let variables = thunk.cursor.ins().iadd_imm_s(exchange, WORD as i64);
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.push(AbiParam::new(types::I64));
    let signature = thunk.cursor.func.import_signature(signature);
    thunk.cursor.ins().call_indirect(signature, code, &[variables]);
    thunk.end(1, exchange);

    thunk.cursor.goto_bottom(stays);
    thunk.end(0, exchange);
}

struct Thunk<'a> {
    cursor: FuncCursor<'a>,
}

impl Thunk<'_> {
    fn append(&mut self) -> Block {
        let block = self.cursor.func.dfg.make_block();
        self.cursor.func.layout.append_block(block);
        block
    }

    fn call(&mut self, code: usize, args: &[Value]) -> Value {
        let signature = self.cursor.func.import_signature(signature(args.len()));
        let code = self.cursor.ins().iconst(types::I64, code as i64);
        let call = self.cursor.ins().call_indirect(signature, code, args);
        self.cursor.func.dfg.first_result(call)
    }

    /// Leaves the answer and returns.
    fn end(&mut self, answer: i64, exchange: Value) {
        let answer = self.cursor.ins().iconst(types::I64, answer);
        self.cursor.ins().store(MemFlagsData::trusted(), answer, exchange, 0);
        self.cursor.ins().return_(&[]);
    }
}
