//! The trip thunk: through it loops report a trip. It preserves all registers, calls `on_trip`, and
//! calls the OSR entry if asked to.
//!
//! Its arguments are integers and addresses, so the caller needs no register for doubles either. It
//! leaves its result in memory, because no calling convention that preserves all registers returns
//! anything.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{
    self, AbiParam, Block, InstBuilder, MemFlagsData, Signature, StackSlot, StackSlotData, StackSlotKind,
    Value, types,
};
use cranelift_codegen::isa::CallConv;
use kaleidoscope_ir::Local;

use super::call::signature;

/// The size of a variable and of the result, in bytes.
const WORD: usize = 8;

/// The thunk's parameters: what [tripped](trip), the address of the word with the OSR entry, and
/// the address of an [OSR buffer](osr_buffer).
pub(super) fn trip_thunk_signature() -> Signature {
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params = vec![AbiParam::new(types::I64); 3];
    signature
}

/// What tripped, in one word: the code's number and the loop's number.
pub(super) fn trip(code_number: u32, loop_number: i32) -> i64 {
    i64::from(code_number) << 32 | i64::from(loop_number as u32)
}

/// Makes an OSR buffer: the thunk's result, and behind it the variables. The result is 0 if the
/// loop continues at its header, with the variables in the buffer, and not 0 if the loop has ended.
pub(super) fn osr_buffer(func: &mut ir::Function, n_variables: usize) -> StackSlot {
    let n_bytes = WORD * (1 + n_variables);
    func.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, n_bytes as u32, 3))
}

/// The offset of a variable in an OSR buffer.
pub(super) fn offset(variable: Local) -> i32 {
    (WORD * (1 + variable.index())) as i32
}

/// Makes the thunk for an `on_trip` at this address.
pub(crate) fn lower_trip_thunk(func: &mut ir::Function, on_trip: usize) {
    func.signature = trip_thunk_signature();
    let mut thunk = Thunk { cursor: FuncCursor::new(func) };
    let [entry, asked_to, replace, stay] = [(); 4].map(|()| thunk.append());

    let [trip, osr_entry, buffer] =
        [(); 3].map(|()| thunk.cursor.func.dfg.append_block_param(entry, types::I64));
    thunk.cursor.goto_bottom(entry);
    let code_number = thunk.cursor.ins().ushr_imm_u(trip, 32);
    let loop_number = thunk.cursor.ins().ireduce(types::I32, trip);
    let args = [code_number, loop_number].map(|number| thunk.cursor.ins().fcvt_from_sint(types::F64, number));
    let answer = thunk.call(on_trip, &args);
    let zero = thunk.cursor.ins().f64const(0.0);
    let holds = thunk.cursor.ins().fcmp(FloatCC::OrderedNotEqual, answer, zero);
    thunk.cursor.ins().brif(holds, asked_to, &[], stay, &[]);

    // The OSR entry may have been invalidated since `on_trip` returned.
    thunk.cursor.goto_bottom(asked_to);
    let code = thunk.cursor.ins().load(types::I64, MemFlagsData::trusted(), osr_entry, 0);
    thunk.cursor.ins().brif(code, replace, &[], stay, &[]);

    thunk.cursor.goto_bottom(replace);
    let variables = thunk.cursor.ins().iadd_imm_s(buffer, WORD as i64);
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.push(AbiParam::new(types::I64));
    signature.returns.push(AbiParam::new(types::F64));
    let signature = thunk.cursor.func.import_signature(signature);
    let call = thunk.cursor.ins().call_indirect(signature, code, &[variables]);
    // 1 or 0, as a double: its bits are 0 only if it is 0.
    let has_ended = thunk.cursor.func.dfg.first_result(call);
    thunk.end(has_ended, buffer);

    thunk.cursor.goto_bottom(stay);
    let stays = thunk.cursor.ins().iconst(types::I64, 0);
    thunk.end(stays, buffer);
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

    /// Stores the result and returns.
    fn end(&mut self, result: Value, buffer: Value) {
        self.cursor.ins().store(MemFlagsData::trusted(), result, buffer, 0);
        self.cursor.ins().return_(&[]);
    }
}
