//! The register file: which value each register holds.

use kaleidoscope_ir::Local;

use crate::assembler::Register;

/// The most registers that lowering uses.
pub(crate) const MAX_REGISTERS: usize = 16;

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The value of a variable.
    Variable(Local),
    /// The operand at this position of the operand stack.
    Operand(u32),
}

/// The register file at one position of the code.
///
/// A variable that is in no register is in its home, a word of the frame. A variable that is in a
/// register is also in its home, unless it is dirty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    contents: [Content; MAX_REGISTERS],
    /// The registers that hold something, one bit each.
    occupied: u32,
    /// The registers with a variable whose home has another value, or none.
    dirty: u32,
}

impl Registers {
    pub(super) const EMPTY: Self =
        Self { contents: [Content::Operand(0); MAX_REGISTERS], occupied: 0, dirty: 0 };

    pub(super) fn occupied(&self) -> u32 {
        self.occupied
    }

    /// The registers with a variable that is in its home as well.
    pub(super) fn clean(&self) -> u32 {
        self.iter()
            .filter(|(register, content)| {
                matches!(content, Content::Variable(_)) && !self.is_dirty(*register)
            })
            .fold(0, |bits, (register, _)| bits | bit(register))
    }

    pub(super) fn content(&self, register: Register) -> Content {
        self.contents[usize::from(register.0)]
    }

    pub(super) fn is_dirty(&self, register: Register) -> bool {
        self.dirty & bit(register) != 0
    }

    pub(super) fn set_dirty(&mut self, register: Register) {
        self.dirty |= bit(register);
    }

    /// Puts a value into a register. A variable is not dirty at first.
    pub(super) fn set(&mut self, register: Register, content: Content) {
        self.contents[usize::from(register.0)] = content;
        self.occupied |= bit(register);
        self.dirty &= !bit(register);
    }

    pub(super) fn free(&mut self, register: Register) {
        self.occupied &= !bit(register);
        self.dirty &= !bit(register);
    }

    /// The register with this value.
    pub(super) fn find(&self, content: Content) -> Option<Register> {
        self.iter().find(|(_, found)| *found == content).map(|(register, _)| register)
    }

    /// The registers that hold something.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Register, Content)> {
        registers(self.occupied).map(|register| (register, self.content(register)))
    }
}

/// The bit of a register in a set.
pub(super) fn bit(register: Register) -> u32 {
    1 << register.0
}

/// The registers of a set.
pub(super) fn registers(mut set: u32) -> impl Iterator<Item = Register> {
    std::iter::from_fn(move || {
        let register = Register(set.trailing_zeros() as u8);
        set &= set.wrapping_sub(1);
        (register.0 < 32).then_some(register)
    })
}
