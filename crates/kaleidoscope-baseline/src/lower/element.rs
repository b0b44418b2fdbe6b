//! Elements of arrays of the host: one comparison, and one load or store.
//!
//! The processor's conversion to an integer and an unsigned comparison find every index that means
//! no element: negative ones, those that are too large, and NaN. The code for these is cold. A
//! literal index of an element needs no check.

use kaleidoscope_ir::HostArray;
use kaleidoscope_ir::array::element_at;

use super::cold::Cold;
use super::{Lowering, Popped};
use crate::assembler::{MacroAssembler, Register, Source};

impl<A: MacroAssembler> Lowering<'_, A> {
    /// Pops an index and pushes the element.
    pub(super) fn load_element(&mut self, array: HostArray) {
        let index = self.pop();
        if let Some(address) = self.fixed_element(array, index) {
            let to = self.allocate();
            self.assembler.load_from(to, address);
            self.push_register(to);
            return;
        }
        let register = self.in_register(index);
        self.check_index(array, register);
        let to = if index.is_temporary { register } else { self.allocate() };
        self.assembler.load_element(to, self.unit.host_array(array).address);
        self.unpin();
        self.push_register(to);
    }

    /// Pops a value and an index, assigns the element, and pushes the value.
    pub(super) fn store_element(&mut self, array: HostArray) {
        let value = self.pop();
        let index = self.pop();
        if let Some(address) = self.fixed_element(array, index) {
            let register = self.in_register(value);
            self.assembler.store_to(address, register);
            self.push_stored(value, register);
            return;
        }
        let at = self.in_register(index);
        let register = self.in_register(value);
        self.check_index(array, at);
        self.assembler.store_element(self.unit.host_array(array).address, register);
        self.push_stored(value, register);
    }

    /// The address of the element that a literal index means.
    fn fixed_element(&self, array: HostArray, index: Popped) -> Option<usize> {
        let Source::Number(index) = index.source else { return None };
        let memory = self.unit.host_array(array);
        Some(memory.address + size_of::<f64>() * element_at(index, memory.len)?)
    }

    fn check_index(&mut self, array: HostArray, index: Register) {
        let jump = self.assembler.check_index(index, self.unit.host_array(array).len);
        self.push_cold(Cold::BadIndex { jump, index, array });
    }

    /// Pushes a value that was popped to be stored, and is in this register now. Ends the
    /// operation.
    pub(super) fn push_stored(&mut self, value: Popped, register: Register) {
        self.unpin();
        match value {
            Popped { is_temporary: false, in_home: Some(variable), .. } => self.push_variable(variable),
            Popped { is_temporary: false, source: Source::Register(_), .. } => {
                let copy = self.own_register(value);
                self.push_register(copy);
            }
            _ => self.push_register(register),
        }
    }
}
