//! Places: which value is in which register, which word of the frame, or both.

use kaleidoscope_ir::Local;
use kaleidoscope_ir::walk::Region;

use super::registers::{Content, bit, registers};
use super::{Lowering, Operand, Popped};
use crate::assembler::{MacroAssembler, Register, Source, Word};

impl<A: MacroAssembler> Lowering<'_, A> {
    /// A register that holds nothing, and that the current operation does not read.
    pub(super) fn allocate(&mut self) -> Register {
        let free = self.all_registers & !self.registers.occupied() & !self.pinned;
        registers(free).next().unwrap_or_else(|| self.evict())
    }

    /// Empties a register: one whose value is in memory as well, if there is one.
    #[cold]
    pub(super) fn evict(&mut self) -> Register {
        let unpinned = self.all_registers & !self.pinned;
        let is_variable =
            |register: &Register| matches!(self.registers.content(*register), Content::Variable(_));
        let victim = registers(self.registers.clean() & unpinned)
            .next()
            .or_else(|| registers(unpinned).find(is_variable))
            .or_else(|| registers(unpinned).next())
            .expect("an operation reads fewer values than there are registers");
        self.spill(victim);
        victim
    }

    /// Frees a register. Its value is in memory afterwards, if it is still needed.
    pub(super) fn spill(&mut self, register: Register) {
        match self.registers.content(register) {
            Content::Variable(variable) => {
                if self.registers.is_dirty(register) && !self.is_dead(variable) {
                    let home = self.home(variable);
                    self.assembler.store(home, register);
                }
                self.buffers.variables[variable.index()].register = None;
            }
            Content::Operand(at) => {
                let at = at as usize;
                let word = self.word(at);
                self.assembler.store(word, register);
                self.buffers.stack[at] = Operand::Word;
            }
        }
        self.registers.free(register);
    }

    /// Frees all registers.
    pub(super) fn spill_all(&mut self) {
        for register in registers(self.registers.occupied()) {
            self.spill(register);
        }
    }

    /// The variable's home.
    pub(super) fn home(&mut self, variable: Local) -> Word {
        let frame = &mut self.frame;
        *self.buffers.variables[variable.index()].home.get_or_insert_with(|| {
            if frame.has_buffer() { frame.in_buffer(variable) } else { frame.allocate() }
        })
    }

    /// The word of a position of the operand stack.
    pub(super) fn word(&mut self, at: usize) -> Word {
        *self.buffers.words[at].get_or_insert_with(|| self.frame.allocate())
    }

    /// Whether no operation will read the variable, nor a deferred operand. A variable from before
    /// a loop may be read in the next iteration.
    pub(super) fn is_dead(&self, variable: Local) -> bool {
        let variable = &self.buffers.variables[variable.index()];
        variable.n_reads == 0 && variable.n_deferred == 0 && variable.loop_depth == self.loop_depth
    }

    /// Puts a variable, which is in no register, into one that is free.
    pub(super) fn set_register(&mut self, variable: Local, register: Register) {
        self.registers.set(register, Content::Variable(variable));
        self.buffers.variables[variable.index()].register = Some(register);
    }

    pub(super) fn push_register(&mut self, register: Register) {
        self.registers.set(register, Content::Operand(self.buffers.stack.len() as u32));
        self.buffers.stack.push(Operand::Register(register));
    }

    pub(super) fn push_variable(&mut self, variable: Local) {
        let known = &mut self.buffers.variables[variable.index()];
        known.n_deferred += 1;
        if known.is_assigned {
            self.buffers.deferred.push(self.buffers.stack.len());
        }
        self.buffers.stack.push(Operand::Variable(variable));
    }

    /// Pops a value. Its register stays pinned until [`unpin`](Self::unpin).
    pub(super) fn pop(&mut self) -> Popped {
        let at = self.buffers.stack.len() - 1;
        let popped = match self.buffers.stack.pop().expect("each operation finds its operands") {
            Operand::Number(number) => {
                Popped { source: Source::Number(number), is_temporary: false, in_home: None }
            }
            Operand::Register(register) => {
                self.registers.free(register);
                Popped { source: Source::Register(register), is_temporary: true, in_home: None }
            }
            Operand::Word => {
                Popped { source: Source::Word(self.word(at)), is_temporary: false, in_home: None }
            }
            Operand::Variable(variable) => {
                if self.buffers.deferred.last() == Some(&at) {
                    self.buffers.deferred.pop();
                }
                self.buffers.variables[variable.index()].n_deferred -= 1;
                self.read(variable)
            }
        };
        if let Source::Register(register) = popped.source {
            self.pinned |= bit(register);
        }
        popped
    }

    /// The value of a variable. Frees its register if this is the last time that it is read.
    pub(super) fn read(&mut self, variable: Local) -> Popped {
        let is_dead = self.is_dead(variable);
        match self.buffers.variables[variable.index()].register {
            Some(register) => {
                if is_dead {
                    self.buffers.variables[variable.index()].register = None;
                    self.registers.free(register);
                }
                Popped { source: Source::Register(register), is_temporary: is_dead, in_home: None }
            }
            None => Popped {
                source: Source::Word(self.home(variable)),
                is_temporary: false,
                in_home: (!is_dead).then_some(variable),
            },
        }
    }

    /// Ends an operation: what it popped may be changed.
    pub(super) fn unpin(&mut self) {
        self.pinned = 0;
    }

    /// The value in a register, to be read only. A variable that was in its home stays in the
    /// register as well.
    pub(super) fn in_register(&mut self, popped: Popped) -> Register {
        if let Source::Register(register) = popped.source {
            return register;
        }
        let register = self.allocate();
        self.pinned |= bit(register);
        popped.source.move_to(register, self.assembler);
        if let Some(variable) = popped.in_home {
            self.set_register(variable, register);
        }
        register
    }

    /// A register for a result, with the value in it if that is where the result begins.
    pub(super) fn own_register(&mut self, popped: Popped) -> Register {
        match popped {
            Popped { source: Source::Register(register), is_temporary: true, .. } => register,
            Popped { source, .. } => {
                let register = self.allocate();
                source.move_to(register, self.assembler);
                register
            }
        }
    }

    /// Replaces the deferred operands of a variable that is about to be assigned by its value, the
    /// top operand excepted.
    pub(super) fn save_deferred(&mut self, variable: Local) {
        if self.buffers.variables[variable.index()].n_deferred > 0 {
            self.save_deferred_if(self.buffers.stack.len() - 1, |found| found == variable);
        }
    }

    /// Replaces the deferred operands of variables that the region assigns by their values.
    pub(super) fn save_assigned(&mut self, region: Region<'_>) {
        self.save_deferred_if(self.buffers.stack.len(), |found| {
            region.assigned.binary_search(&found).is_ok()
        });
    }

    /// Replaces deferred operands by their values: of those below `height` and inside the innermost
    /// open bracket all, if there are many, otherwise those of the variables that are concerned.
    pub(super) fn save_deferred_if(&mut self, height: usize, is_concerned: impl Fn(Local) -> bool) {
        /// From how many on all are saved, so that the time stays in proportion to the function.
        const MANY: usize = 16;
        let first = self.n_deferred_outside;
        let has_many = self.buffers.deferred.len() - first > MANY;
        let mut kept = first;
        for nth in first..self.buffers.deferred.len() {
            let at = self.buffers.deferred[nth];
            let Operand::Variable(variable) = self.buffers.stack[at] else {
                unreachable!("the operand is deferred")
            };
            if at < height && (has_many || is_concerned(variable)) {
                self.save(at, variable);
            } else {
                self.buffers.deferred[kept] = at;
                kept += 1;
            }
        }
        self.buffers.deferred.truncate(kept);
    }

    /// Replaces the deferred operand at a position by its value.
    pub(super) fn save(&mut self, at: usize, variable: Local) {
        self.buffers.variables[variable.index()].n_deferred -= 1;
        let value = self.read(variable);
        let register = self.own_register(value);
        self.registers.set(register, Content::Operand(at as u32));
        self.buffers.stack[at] = Operand::Register(register);
    }
}
