//! Variables of the host: memory that other threads read and write meanwhile.
//!
//! Loads and stores are atomic, so that no thread sees half a value, and without order, which is an ordinary instruction;
//! LLVM moves none of these out of a loop, so that one which waits for another thread sees what that does.

use super::{Lowering, Operand, built};
use crate::Variable;
use inkwell::module::Linkage;
use inkwell::values::{BasicValue, InstructionValue, PointerValue};
use inkwell::{AddressSpace, AtomicOrdering};
use kaleidoscope_lang::code::HostVariable;

impl<'cx> Lowering<'cx, '_> {
    pub(super) fn get_host(&mut self, variable: HostVariable) {
        let place = self.place_of_host(variable);
        let value = built(self.builder.build_load(self.cx.f64_type(), place, ""));
        make_atomic(value.as_instruction_value().expect("a load is an instruction"));
        self.stack.push(Operand::Number(value.into_float_value()));
    }

    pub(super) fn set_host(&mut self, variable: HostVariable) {
        let value = self.pop_number();
        make_atomic(built(self.builder.build_store(self.place_of_host(variable), value)));
        self.stack.push(Operand::Number(value));
    }

    fn place_of_host(&self, variable: HostVariable) -> PointerValue<'cx> {
        match (self.unit.variables)(variable) {
            Variable::Address(address) => {
                let address = self.cx.i64_type().const_int(address, false);
                address.const_to_pointer(self.cx.ptr_type(AddressSpace::default()))
            }
            Variable::Symbol(symbol) => {
                let global = self.module.get_global(&symbol).unwrap_or_else(|| {
                    let global = self.module.add_global(self.cx.f64_type(), None, &symbol);
                    global.set_linkage(Linkage::External);
                    global
                });
                global.as_pointer_value()
            }
        }
    }
}

fn make_atomic(access: InstructionValue<'_>) {
    access.set_atomic_ordering(AtomicOrdering::Monotonic).expect("loads and stores may be monotonic");
    access.set_alignment(8).expect("8 is a power of two");
}
