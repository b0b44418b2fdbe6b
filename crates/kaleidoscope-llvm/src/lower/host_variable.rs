//! Host variables: memory that other threads read and write at the same time.
//!
//! Loads and stores are atomic, so no thread sees half a value, and without order, which makes
//! them ordinary instructions. LLVM moves none of them out of a loop, so a loop that waits for
//! another thread sees its stores. A plain kernel cannot wait: lowering moves its loads out of the
//! loop over the rows.

use super::{Lowering, References, built};
use crate::symbols;
use inkwell::AtomicOrdering;
use inkwell::values::{BasicValue, FloatValue, InstructionValue, PointerValue};
use kaleidoscope_ir::HostVariable;
use kaleidoscope_ir::compile::TableWord;

impl<'cx> Lowering<'cx, '_> {
    /// Reads the host variables of a plain kernel once for all rows, if it assigns none. Stores of
    /// other threads need not be seen in between, since no row waits for them. An atomic load in
    /// each row would prevent vectorization.
    pub(super) fn read_ahead(&mut self) {
        let is_plain = self.unit.kind.is_plain_kernel();
        let facts = || self.instances.iter().map(|instance| instance.function.facts());
        if !is_plain || facts().any(|facts| !facts.host_variables_assigned.is_empty()) {
            return;
        }
        for variable in facts().flat_map(|facts| &facts.host_variables_read) {
            if !self.read_ahead.contains_key(variable) {
                let value = self.load_host(*variable);
                self.read_ahead.insert(*variable, value);
            }
        }
    }

    pub(super) fn load_host(&self, variable: HostVariable) -> FloatValue<'cx> {
        let place = self.host_variable(variable);
        let value = built(self.builder.build_load(self.cx.f64_type(), place, ""));
        make_atomic(value.as_instruction_value().expect("a load is an instruction"));
        value.into_float_value()
    }

    pub(super) fn store_host(&self, variable: HostVariable, value: FloatValue<'cx>) {
        make_atomic(built(self.builder.build_store(self.host_variable(variable), value)));
    }

    fn host_variable(&self, variable: HostVariable) -> PointerValue<'cx> {
        let place = self.unit.host_variable(variable);
        match self.references {
            References::Addresses | References::Table(_) => {
                self.address_or_word(place.address, TableWord::HostVariable(variable))
            }
            References::Symbols(_) | References::Linked(_) => {
                self.external(self.cx.f64_type(), &symbols::variable(&place.name))
            }
        }
    }
}

pub(super) fn make_atomic(access: InstructionValue<'_>) {
    access.set_atomic_ordering(AtomicOrdering::Monotonic).expect("loads and stores may be monotonic");
    access.set_alignment(8).expect("8 is a power of two");
}
