//! Parallel moves: copies between registers that take effect all at once.

use super::registers::MAX_REGISTERS;
use crate::assembler::{MacroAssembler, Register, Source};

/// Copies, each to another register.
pub(super) struct Moves {
    pairs: [(Register, Register); MAX_REGISTERS],
    n: usize,
}

impl Moves {
    pub(super) fn new() -> Self {
        Self { pairs: [(Register(0), Register(0)); MAX_REGISTERS], n: 0 }
    }

    /// Adds a copy. No other one has the same target.
    pub(super) fn add(&mut self, to: Register, from: Register) {
        if to != from {
            self.pairs[self.n] = (to, from);
            self.n += 1;
        }
    }

    /// Writes the copies in an order in which each reads what was there before. A cycle goes
    /// through the scratch register.
    pub(super) fn emit<A: MacroAssembler>(self, assembler: &mut A) {
        self.emit_with(A::SCRATCH, |to, from| assembler.copy(to, from));
    }

    fn emit_with(mut self, scratch: Register, mut copy: impl FnMut(Register, Register)) {
        while self.n > 0 {
            let pairs = &mut self.pairs[..self.n];
            let is_read = |register| pairs.iter().any(|(_, from)| *from == register);
            if let Some(at) = pairs.iter().position(|(to, _)| !is_read(*to)) {
                let (to, from) = pairs[at];
                copy(to, from);
                self.n -= 1;
                self.pairs[at] = self.pairs[self.n];
            } else {
                let (blocked, _) = pairs[0];
                copy(scratch, blocked);
                for (_, from) in pairs.iter_mut().filter(|(_, from)| *from == blocked) {
                    *from = scratch;
                }
            }
        }
    }
}

/// Moves values to registers, all at once.
pub(super) fn move_all<A: MacroAssembler>(
    targets: impl Iterator<Item = (Register, Source)> + Clone,
    assembler: &mut A,
) {
    let mut moves = Moves::new();
    for (to, source) in targets.clone() {
        if let Source::Register(from) = source {
            moves.add(to, from);
        }
    }
    moves.emit(assembler);
    for (to, source) in targets {
        match source {
            Source::Register(_) => {}
            Source::Word(_) | Source::Number(_) => source.move_to(to, assembler),
        }
    }
}

#[cfg(test)]
mod tests;
