//! Cold code: what hardly ever runs, or ends the function, written behind it.

use kaleidoscope_ir::compile::AccessSite;
use kaleidoscope_ir::{HostArray, Local, OpIdx};

use super::moves::move_all;
use super::registers::{Content, Registers};
use super::{Lowering, MAX_REGISTERS};
use crate::assembler::{Condition, Jump, Label, MacroAssembler, Piece, Register, Source, Word};

/// A piece of code that is still to be written.
pub(super) enum Cold {
    /// A branch that returns, or calls the function in tail position.
    Branch { jump: Jump, piece: Piece, is_tail_call: bool },
    /// The counter of a loop's back edge tripped.
    BackEdge {
        jump: Jump,
        header: Label,
        after: Label,
        /// The registers at the header, which are those behind the loop too.
        registers: Registers,
        loop_number: usize,
        /// The loop's number among all brackets.
        bracket: usize,
    },
    /// The counter of self tail calls tripped.
    TailCall { jump: Jump },
    /// An index, in a register, means no element of its array.
    BadIndex { jump: Jump, index: Register, array: HostArray },
    /// A maths instruction is no longer what the function's name means.
    Replaced { jump: Jump, back: Label, to: Register, from: Register, slot: usize },
    /// A maths function whose result for a constant is known is no longer what its name means.
    ReplacedConstant { jump: Jump, back: Label, to: Register, argument: f64, slot: usize },
}

impl<A: MacroAssembler> Lowering<'_, A> {
    pub(super) fn emit_cold(&mut self, at: OpIdx, cold: &Cold) {
        if self.is_debugged {
            self.assembler.mark(at);
        }
        match *cold {
            Cold::Branch { jump, ref piece, is_tail_call } => {
                self.begin_cold(jump);
                self.assembler.paste(piece);
                if is_tail_call {
                    self.jump_to_start();
                }
            }
            Cold::BackEdge { jump, header, after, ref registers, loop_number, bracket } => {
                self.begin_cold(jump);
                self.offer_osr(registers, loop_number, bracket);
                self.assembler.test_word(self.frame.buffer());
                let end = self.assembler.jump_if(Condition::NotZero);
                self.assembler.set_target(end, after);
                self.jump_back(header);
            }
            Cold::TailCall { jump } => {
                self.begin_cold(jump);
                self.report_tail_calls();
                let (start, _) = self.start;
                self.jump_back(start);
            }
            Cold::BadIndex { jump, index, array } => {
                self.begin_cold(jump);
                let site = AccessSite::Function(self.unit.id).argument();
                let index = (Register(1), Source::Register(index));
                let numbers = [(Register(0), array.index() as f64), (Register(2), site)];
                let numbers = numbers.map(|(register, number)| (register, Source::Number(number)));
                move_all([index].into_iter().chain(numbers), self.assembler);
                self.assembler.call_for_good(self.unit.host_array(array).bad_index);
            }
            Cold::Replaced { jump, back, to, from, slot } => {
                self.begin_cold(jump);
                self.call_replacement(to, from, slot);
                self.jump_back(back);
            }
            Cold::ReplacedConstant { jump, back, to, argument, slot } => {
                self.begin_cold(jump);
                self.assembler.number(to, argument);
                self.call_replacement(to, to, slot);
                self.jump_back(back);
            }
        }
    }

    /// Notes code that is to be written behind the function, for the current operation.
    pub(super) fn push_cold(&mut self, cold: Cold) {
        self.buffers.cold.push((self.at, cold));
    }

    /// Calls what replaced a maths function, and changes no other register.
    fn call_replacement(&mut self, to: Register, from: Register, slot: usize) {
        let word = *self.thunk_word.get_or_insert_with(|| self.frame.allocate());
        let thunk = self.slot_thunk.expect("a unit that checks instructions has a slot thunk");
        self.assembler.store(word, from);
        self.assembler.call_slot_thunk(thunk, slot, word);
        self.assembler.load(to, word);
    }

    fn begin_cold(&mut self, jump: Jump) {
        let here = self.assembler.here();
        self.assembler.set_target(jump, here);
    }

    fn jump_back(&mut self, target: Label) {
        let jump = self.assembler.jump();
        self.assembler.set_target(jump, target);
    }

    /// Reports the trip of a loop's counter through the trip thunk, with the loop's variables in
    /// the OSR buffer: their homes. Reloads those that OSR code may have assigned.
    fn offer_osr(&mut self, registers: &Registers, loop_number: usize, bracket: usize) {
        let assigned = &self.unit.function.facts().assigned[bracket];
        let counters = self.counters.expect("only counting code has trips");
        let thunk = counters.trip_thunk.expect("counters of code with loops have a trip thunk");
        let homes = self.homes(registers, assigned);
        for (register, home, _) in homes.iter().flatten() {
            if registers.is_dirty(*register) {
                self.assembler.store(*home, *register);
            }
        }
        let trip = u64::from(counters.code_number) << 32 | loop_number as u64;
        let buffer = self.frame.buffer();
        self.assembler.call_trip_thunk(thunk, trip, counters.osr_entry(loop_number), buffer);
        for (register, home, is_assigned) in homes.iter().flatten() {
            if *is_assigned {
                self.assembler.load(*register, *home);
            }
        }
    }

    /// Reports that the counter of tail calls tripped. Continues in other code if asked to, with
    /// the parameters where the C ABI passes them.
    fn report_tail_calls(&mut self) {
        let counters = self.counters.expect("only counting code has trips");
        let word = self.tail_calls.expect("the code counts tail calls");
        self.assembler.store_integer(word, counters.tail_calls);
        self.assembler.report_entry(counters);
        for nth in A::N_REGISTER_PARAMS..self.unit.function.n_params as usize {
            let home = self.home(Local::new(nth as u32));
            let param = A::stack_param(nth - A::N_REGISTER_PARAMS);
            if home != param {
                self.assembler.load(A::SCRATCH, home);
                self.assembler.store(param, A::SCRATCH);
            }
        }
        self.assembler.leave_for_answer();
    }

    /// The registers with variables, each with the variable's home, and whether it is assigned.
    fn homes(
        &mut self,
        registers: &Registers,
        assigned: &[Local],
    ) -> [Option<(Register, Word, bool)>; MAX_REGISTERS] {
        let mut homes = [None; MAX_REGISTERS];
        for (at, (register, content)) in registers.iter().enumerate() {
            if let Content::Variable(variable) = content {
                let is_assigned = assigned.binary_search(&variable).is_ok();
                homes[at] = Some((register, self.home(variable), is_assigned));
            }
        }
        homes
    }
}
