//! What is added to code that counts ([`Heat`]): countdowns where the function turns back, and out of the way the calls for
//! when one has run out. Entries are counted in front of the code (`entry.rs`).

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, MemFlagsData, SigRef, StackSlot, Value, types};
use kaleidoscope_lang::code::{Function, Local};

use super::frame::Frame;
use super::thunk::{exchange, offset, report, thunk_signature};
use super::{Lowering, arguments};
use crate::heat::Heat;

/// The size of a cell in bytes.
const WORD: usize = 8;

/// What code that counts needs to know.
pub(super) struct Counting {
    heat: Heat,
    /// How many variables are handed over, if a loop is left.
    n_variables: usize,
    /// How the thunk is called, and where it leaves its answer; made for the first call.
    thunk: Option<(SigRef, StackSlot)>,
}

impl Counting {
    pub(super) fn new(heat: Heat, function: &Function) -> Self {
        Self { heat, n_variables: function.locals.len(), thunk: None }
    }

    /// Where the countdown of a loop is, or behind those of all loops that of tail calls. The address of code for a loop's rest
    /// comes behind its countdown.
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
    /// Jumps back to the start; counts that, if the code counts. When the countdown has run out it enters anew: as an entry it is
    /// reported, and goes on in better code if there is any.
    pub(super) fn jump_to_start(&mut self, start: Block, args: &[Value]) {
        let to_start = arguments(&self.pass(args));
        let Some(counting) = &self.counting else {
            self.ins().jump(start, &to_start);
            return;
        };
        let entries = counting.heat.cells;
        let cell = counting.turns(self.unit.function.n_loops());
        let anew = self.append_cold();
        let has_run_out = self.count(cell);
        self.ins().brif(has_run_out, anew, &[], start, &to_start);
        self.enter(anew);
        let (entries, none) = (self.address(entries), self.ins().iconst(types::I64, 0));
        self.ins().store(MemFlagsData::trusted(), none, entries, 0);
        let value = self.call_itself(args);
        self.ins().return_(&[value]);
    }

    /// Ends a loop whose turns are counted, and goes on behind it.
    pub(super) fn turn_counted(&mut self, condition: Value, turning: &Turning, cell: usize) {
        let args = arguments(&self.values_of(turning.bracket));
        let (turn, after, out) = (self.append(), self.append(), self.append_cold());
        self.ins().brif(condition, turn, &[], after, &args);
        self.enter(turn);
        let has_run_out = self.count(cell);
        self.ins().brif(has_run_out, out, &[], turning.header, &args);
        self.enter(out);
        let (is_left, left) = self.offer_loop(turning, cell + WORD);
        self.ins().brif(is_left, after, &left, turning.header, &args);
        self.enter(after);
        self.assign_parameters(turning.bracket, after);
    }

    /// Where the turns of a loop are counted, if the code counts.
    pub(super) fn cell_of(&self, number: usize) -> Option<usize> {
        self.counting.as_ref().map(|counting| counting.turns(number))
    }

    /// Reports a turn, with the variables that the loop reads or assigns at hand. Whether the loop has been left, and
    /// if so, what those that it assigns hold now.
    fn offer_loop(&mut self, turning: &Turning, cell: usize) -> (Value, Vec<BlockArg>) {
        let assigned = self.assigned(turning.bracket);
        self.hand_over(turning, assigned);
        let is_left = self.report(turning.number as i32, cell);
        let (_, exchange) = self.thunk();
        let left = assigned.iter().map(|&variable| {
            BlockArg::Value(self.ins().stack_load(types::I64, types::F64, exchange, offset(variable)))
        });
        let left = left.collect();
        (is_left, left)
    }

    /// Stores the variables where better code finds them, unless they are there.
    fn hand_over(&mut self, turning: &Turning, assigned: &[Local]) {
        if self.frame.is_some() {
            return;
        }
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
    fn report(&mut self, number: i32, cell: usize) -> Value {
        let (signature, exchange) = self.thunk();
        let heat = self.counting().heat;
        let args = [
            self.ins().iconst(types::I64, report(heat.body, number)),
            self.address(cell),
            self.ins().stack_addr(types::I64, exchange, 0),
        ];
        let thunk = heat.thunk.expect("who has code with loops made gives the thunk");
        let thunk = self.address(thunk);
        self.ins().call_indirect(signature, thunk, &args);
        self.ins().stack_load(types::I64, types::I64, exchange, 0)
    }

    fn thunk(&mut self) -> (SigRef, StackSlot) {
        if let Some(known) = self.counting().thunk {
            return known;
        }
        let n_variables = self.counting().n_variables;
        let frame = self.frame.as_ref().map(Frame::slot);
        let func = &mut *self.cursor.func;
        let exchange = frame.unwrap_or_else(|| exchange(func, n_variables));
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
