//! The slot thunk: through it loops call what replaced a maths instruction. It preserves all
//! registers, so that the loop keeps its values in theirs as long as the instruction is used.
//!
//! Argument and result are in memory: see the trip thunk, `trip_thunk.rs`.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    self, AbiParam, InstBuilder, MemFlagsData, SigRef, Signature, StackSlot, StackSlotData, StackSlotKind,
    Value, types,
};
use cranelift_codegen::isa::CallConv;

use super::Lowering;
use super::call::signature;

/// The thunk as code calls it.
pub(super) struct SlotThunk {
    address: usize,
    /// The thunk's signature, and the word with the argument and then the result. Made for the
    /// first call.
    shared: Option<(SigRef, StackSlot)>,
}

impl SlotThunk {
    /// The thunk at this address.
    pub(super) fn new(address: usize) -> Self {
        Self { address, shared: None }
    }
}

/// The thunk's parameters: the addresses of a slot, and of the word with the argument.
fn slot_thunk_signature() -> Signature {
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params = vec![AbiParam::new(types::I64); 2];
    signature
}

/// Makes the thunk, which calls functions with one parameter.
pub(crate) fn lower_slot_thunk(func: &mut ir::Function) {
    func.signature = slot_thunk_signature();
    let entry = func.dfg.make_block();
    func.layout.append_block(entry);
    let [slot, word] = [(); 2].map(|()| func.dfg.append_block_param(entry, types::I64));
    let callee = func.import_signature(signature(1));
    let mut cursor = FuncCursor::new(func);
    cursor.goto_bottom(entry);
    let argument = cursor.ins().load(types::F64, MemFlagsData::trusted(), word, 0);
    let code = cursor.ins().load(types::I64, MemFlagsData::trusted(), slot, 0);
    let call = cursor.ins().call_indirect(callee, code, &[argument]);
    let result = cursor.func.dfg.first_result(call);
    cursor.ins().store(MemFlagsData::trusted(), result, word, 0);
    cursor.ins().return_(&[]);
}

impl Lowering<'_> {
    /// Calls the function in the slot with one argument, through the thunk if there is one.
    pub(super) fn call_replacement(&mut self, slot: usize, argument: Value) -> Value {
        let Some(thunk) = &mut self.slot_thunk else { return self.call_slot(slot, &[argument]) };
        let func = &mut *self.cursor.func;
        let (signature, word) = *thunk.shared.get_or_insert_with(|| {
            let word = StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3);
            (func.import_signature(slot_thunk_signature()), func.create_sized_stack_slot(word))
        });
        let thunk = thunk.address;
        self.ins().stack_store(types::I64, argument, word, 0);
        let args = [self.address(slot), self.ins().stack_addr(types::I64, word, 0)];
        let thunk = self.address(thunk);
        self.ins().call_indirect(signature, thunk, &args);
        self.ins().stack_load(types::I64, types::F64, word, 0)
    }
}
