//! What is added to code that counts ([`Heat`]): countdowns where the function is entered and where it turns back, and out of
//! the way the calls for when one has run out.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{
    self, AbiParam, Block, InstBuilder, MemFlagsData, SigRef, Signature, StackSlot, StackSlotData,
    StackSlotKind, Value, types,
};
use cranelift_codegen::isa::CallConv;
use kaleidoscope_lang::code::{Function, Local};

use super::call::signature;
use super::{Lowering, arguments};
use crate::Callee;
use crate::heat::{Heat, n_loops};

/// The size of a variable in the array that is handed over, and of a cell, in bytes.
const WORD: usize = 8;

/// What an entry is reported as.
const ENTRY: i64 = -1;

/// Makes the code through which counting code calls `hot`. It takes both arguments as whole numbers and the address of a word
/// for the answer, which is 1 if the loop or function is to be left, 0 otherwise; and it keeps all registers.
pub(crate) fn lower_thunk(func: &mut ir::Function, hot: usize) {
    func.signature = thunk_signature();
    let block = func.dfg.make_block();
    let [body, what, answer] = [(); 3].map(|()| func.dfg.append_block_param(block, types::I64));
    let mut cursor = FuncCursor::new(func);
    cursor.insert_block(block);
    let args = [body, what].map(|number| cursor.ins().fcvt_from_sint(types::F64, number));
    let signature = cursor.func.import_signature(signature(args.len()));
    let code = cursor.ins().iconst(types::I64, hot as i64);
    let call = cursor.ins().call_indirect(signature, code, &args);
    let value = cursor.func.dfg.first_result(call);
    let zero = cursor.ins().f64const(0.0);
    let holds = cursor.ins().fcmp(FloatCC::OrderedNotEqual, value, zero);
    let word = cursor.ins().uextend(types::I64, holds);
    cursor.ins().store(MemFlagsData::trusted(), word, answer, 0);
    cursor.ins().return_(&[]);
}

fn thunk_signature() -> Signature {
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params = vec![AbiParam::new(types::I64); 3];
    signature
}

/// What code that counts needs to know.
pub(super) struct Counting {
    heat: Heat,
    /// The number under which tail calls are counted: that of the loops.
    tail_calls: usize,
    n_locals: usize,
    /// Where variables are handed over; made for the first loop.
    array: Option<StackSlot>,
    /// How `hot` is called, and where it leaves its answer; made for the first call.
    reporting: Option<(SigRef, StackSlot)>,
}

impl Counting {
    pub(super) fn new(heat: Heat, function: &Function) -> Self {
        Self {
            heat,
            tail_calls: n_loops(function),
            n_locals: function.locals.len(),
            array: None,
            reporting: None,
        }
    }

    /// Where the countdown of entries is.
    fn entries(&self) -> usize {
        self.heat.cells
    }

    /// Where the countdown of a loop is. The address of code for its rest comes behind it.
    fn turns(&self, number: usize) -> usize {
        self.heat.cells + WORD * (1 + 2 * number)
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
    /// Counts an entry, if the code counts.
    pub(super) fn count_entry(&mut self) {
        let Some(counting) = &self.counting else { return };
        let cell = counting.entries();
        let (out, body) = (self.append_cold(), self.append());
        let has_run_out = self.count(cell);
        self.ins().brif(has_run_out, out, &[], body, &[]);
        self.enter(out);
        self.call_hot(ENTRY);
        self.jump(body, &[]);
        self.enter(body);
    }

    /// Jumps back to the start; counts that, if the code counts.
    pub(super) fn jump_to_start(&mut self, start: Block, args: &[Value]) {
        let Some(counting) = &self.counting else { return self.jump(start, args) };
        let number = counting.tail_calls;
        let cell = counting.turns(number);
        let (out, anew) = (self.append_cold(), self.append_cold());
        let to_start = arguments(args);
        let has_run_out = self.count(cell);
        self.ins().brif(has_run_out, out, &[], start, &to_start);
        self.enter(out);
        let is_left = self.call_hot(number as i64);
        self.ins().brif(is_left, anew, &[], start, &to_start);
        self.enter(anew);
        let own = self.unit.id.map(|id| (self.unit.callees)(id));
        let Some(Callee::Slot { address }) = own else {
            unreachable!("a function that calls itself has a slot")
        };
        let value = self.call_slot(address, args);
        self.ins().return_(&[value]);
    }

    /// Ends a loop whose turns are counted, and goes on behind it.
    pub(super) fn turn_counted(&mut self, condition: Value, turning: &Turning, cell: usize) {
        let args = arguments(&self.values_of(turning.bracket));
        let (turn, after) = (self.append(), self.append());
        let (out, leave) = (self.append_cold(), self.append_cold());
        self.ins().brif(condition, turn, &[], after, &args);
        self.enter(turn);
        let has_run_out = self.count(cell);
        self.ins().brif(has_run_out, out, &[], turning.header, &args);
        self.enter(out);
        let is_left = self.call_hot(turning.number as i64);
        self.ins().brif(is_left, leave, &[], turning.header, &args);
        self.enter(leave);
        self.call_loop_code(turning, cell + WORD);
        let values = self.values_of(turning.bracket);
        self.jump(after, &values);
        self.enter(after);
        self.assign_parameters(turning.bracket, after);
    }

    /// Where the turns of a loop are counted, if the code counts.
    pub(super) fn cell_of(&self, number: usize) -> Option<usize> {
        self.counting.as_ref().map(|counting| counting.turns(number))
    }

    /// Hands over the variables that the loop reads or assigns to the code for its rest, whose address is in the cell, and
    /// takes back those that it assigns.
    fn call_loop_code(&mut self, turning: &Turning, cell: usize) {
        let array = self.array();
        let assigned = &self.shape.assigned[turning.bracket];
        let mut handed_over: Vec<_> =
            self.scope.read_since(turning.at).chain(assigned.iter().copied()).collect();
        handed_over.sort_unstable();
        handed_over.dedup();
        for variable in handed_over {
            let value = self.variables[variable.index()];
            self.ins().stack_store(types::I64, value, array, offset(variable));
        }
        let cell = self.address(cell);
        let code = self.load(types::I64, cell);
        let base = self.ins().stack_addr(types::I64, array, 0);
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params.push(AbiParam::new(types::I64));
        let signature = self.cursor.func.import_signature(signature);
        self.ins().call_indirect(signature, code, &[base]);
        for variable in assigned {
            let value = self.ins().stack_load(types::I64, types::F64, array, offset(*variable));
            self.variables[variable.index()] = value;
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

    /// Reports that a countdown has run out; whether the answer is to leave. The call keeps all registers, so that what loops
    /// have in registers stays there: no code generator knows how seldom it is made.
    fn call_hot(&mut self, what: i64) -> Value {
        let counting = self.counting.as_mut().expect("only code that counts reports");
        let heat = counting.heat;
        let func = &mut *self.cursor.func;
        let (signature, answer) = *counting.reporting.get_or_insert_with(|| {
            (func.import_signature(thunk_signature()), func.create_sized_stack_slot(words(1)))
        });
        let args = [
            self.ins().iconst(types::I64, i64::from(heat.body)),
            self.ins().iconst(types::I64, what),
            self.ins().stack_addr(types::I64, answer, 0),
        ];
        let thunk = self.address(heat.hot);
        self.ins().call_indirect(signature, thunk, &args);
        self.ins().stack_load(types::I64, types::I64, answer, 0)
    }

    fn array(&mut self) -> StackSlot {
        let counting = self.counting.as_mut().expect("only code that counts hands over");
        let func = &mut *self.cursor.func;
        *counting.array.get_or_insert_with(|| func.create_sized_stack_slot(words(counting.n_locals)))
    }

    /// A block that is put behind all others.
    fn append_cold(&mut self) -> Block {
        let block = self.append();
        self.cursor.func.layout.set_cold(block);
        block
    }
}

fn words(n: usize) -> StackSlotData {
    StackSlotData::new(StackSlotKind::ExplicitSlot, (WORD * n) as u32, 3)
}

fn offset(variable: Local) -> i32 {
    (WORD * variable.index()) as i32
}
