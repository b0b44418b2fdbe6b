//! Self tail calls: jumps to the function's start, counted in a word of the frame.

use kaleidoscope_ir::Local;

use super::Lowering;
use super::cold::Cold;
use super::moves::move_all;
use super::registers::Content;
use crate::assembler::{Condition, MacroAssembler, Source};

impl<A: MacroAssembler> Lowering<'_, A> {
    /// Notes where tail calls jump to: here, with the parameters in their registers.
    pub(super) fn begin_tail_calls(&mut self) {
        if self.unit.function.facts().has_tail_call {
            self.tail_calls = self.counters.map(|_| self.frame.allocate());
            self.start = (self.assembler.here(), self.registers);
        }
    }

    pub(super) fn lower_tail_call(&mut self) {
        let n_params = self.unit.function.n_params as usize;
        self.pop_arguments(n_params);
        let arguments = std::mem::take(&mut self.buffers.arguments);
        // An argument may be in the home of a parameter. So those for homes wait in words of their
        // own until all have been read.
        let mut waiting = Vec::new();
        for (nth, argument) in arguments.iter().enumerate().skip(A::N_REGISTER_PARAMS) {
            let home = self.home(Local::new(nth as u32));
            if argument.source != Source::Word(home) {
                let word = self.frame.allocate();
                argument.source.move_to(A::SCRATCH, self.assembler);
                self.assembler.store(word, A::SCRATCH);
                waiting.push((word, home));
            }
        }
        let (_, registers) = self.start;
        let targets =
            arguments.iter().take(A::N_REGISTER_PARAMS).enumerate().filter_map(|(nth, argument)| {
                // A parameter that is never read has no register.
                let register = registers.find(Content::Variable(Local::new(nth as u32)))?;
                Some((register, argument.source))
            });
        move_all(targets, self.assembler);
        for (word, home) in waiting {
            self.assembler.load(A::SCRATCH, word);
            self.assembler.store(home, A::SCRATCH);
        }
        self.unpin();
        self.buffers.arguments = arguments;
        self.jump_to_start();
    }

    /// Jumps to the function's start, with the parameters in their registers.
    pub(super) fn jump_to_start(&mut self) {
        self.last_jump_to_start = self.assembler.here();
        let (start, _) = self.start;
        let again = match self.tail_calls {
            Some(word) => {
                self.assembler.count_down_word(word);
                let again = self.assembler.jump_if(Condition::Positive);
                let jump = self.assembler.jump();
                self.push_cold(Cold::TailCall { jump });
                again
            }
            None => self.assembler.jump(),
        };
        self.assembler.set_target(again, start);
    }
}
