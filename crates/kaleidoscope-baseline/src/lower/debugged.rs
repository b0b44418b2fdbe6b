//! Code for a debugger: each variable is in its home from its assignment on, so one place is right
//! in the whole function, and the code of each operation can be found.

use kaleidoscope_ir::{Local, OpIdx};

use super::{Buffers, Lowering};
use crate::assembler::{MacroAssembler, Register, Word};

impl Buffers {
    /// Counts one more read of each variable, so that none is ever dropped.
    pub(super) fn keep_variables(&mut self) {
        for variable in &mut self.variables {
            variable.n_reads += 1;
        }
    }
}

impl<A: MacroAssembler> Lowering<'_, A> {
    #[cold]
    pub(super) fn begin_debugged_op(&mut self, at: OpIdx) {
        // Where a branch returned, the next operation begins another way to its position.
        self.at = at;
        self.assembler.mark(at);
    }

    /// Stores the parameters that came in registers. Also self tail calls come through here.
    pub(super) fn store_params(&mut self) {
        if !self.is_debugged {
            return;
        }
        for index in 0..self.unit.function.n_params {
            self.store_assigned(Local::new(index));
        }
    }

    /// Stores a variable that was assigned in a register, if the code is for a debugger. Changes no
    /// flags of the processor.
    #[inline]
    pub(super) fn store_assigned(&mut self, variable: Local) {
        if self.is_debugged
            && let Some(register) = self.buffers.variables[variable.index()].register
        {
            self.store_in_home(variable, register);
        }
    }

    #[cold]
    fn store_in_home(&mut self, variable: Local, register: Register) {
        let home = self.home(variable);
        self.assembler.store(home, register);
        // The home has the value now.
        self.set_register(variable, register);
    }

    /// Ends a call: its return address must belong to its own operation. Functions of the host are
    /// on another stack, and there debuggers take the return address as it is.
    #[inline]
    pub(super) fn end_call(&mut self) {
        if self.is_debugged {
            self.assembler.no_operation();
        }
    }

    /// The offset of each variable's home from the frame pointer.
    pub(super) fn offsets_of_homes(&self) -> Vec<Option<i32>> {
        let frame_bytes = self.frame.bytes() as i32;
        let offset = |word| match word {
            Word::Frame(offset) => offset - frame_bytes,
            Word::Param(offset) => offset,
        };
        self.buffers.variables.iter().map(|variable| variable.home.map(offset)).collect()
    }
}
