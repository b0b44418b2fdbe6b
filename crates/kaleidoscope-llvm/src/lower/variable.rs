//! Variables of the host: memory that other threads read and write meanwhile.
//!
//! Loads and stores are atomic, so that no thread sees half a value, and without order, which is an ordinary instruction;
//! LLVM moves none of these out of a loop, so that one which waits for another thread sees what that does. Where nothing can wait,
//! in plain rows, lowering itself does.

use super::{CodeKind, Lowering, Operand, References, built};
use crate::symbols;
use inkwell::AtomicOrdering;
use inkwell::values::{BasicValue, FloatValue, InstructionValue, PointerValue};
use kaleidoscope_ir::compile::KernelKind;
use kaleidoscope_ir::{HostVariable, Op};

impl<'cx> Lowering<'cx, '_> {
    pub(super) fn get_host(&mut self, variable: HostVariable) {
        let value = match self.read_ahead.get(&variable) {
            Some(value) => *value,
            None => self.load_host(variable),
        };
        self.stack.push(Operand::Number(value));
    }

    /// Reads the variables once for all plain rows, if these assign none: what others do meanwhile need not be seen, since none waits
    /// for it. An atomic load in each row would keep rows from being computed several at once.
    pub(super) fn read_ahead(&mut self) {
        let ops = self.instances.iter().flat_map(|instance| &*instance.function.ops);
        let assigns_any = ops.clone().any(|op| matches!(op, Op::SetHost(_)));
        if self.unit.kind != CodeKind::Kernel(KernelKind::Plain) || assigns_any {
            return;
        }
        for op in ops {
            if let Op::GetHost(variable) = *op
                && !self.read_ahead.contains_key(&variable)
            {
                let value = self.load_host(variable);
                self.read_ahead.insert(variable, value);
            }
        }
    }

    fn load_host(&self, variable: HostVariable) -> FloatValue<'cx> {
        let place = self.place_of_host(variable);
        let value = built(self.builder.build_load(self.cx.f64_type(), place, ""));
        make_atomic(value.as_instruction_value().expect("a load is an instruction"));
        value.into_float_value()
    }

    pub(super) fn set_host(&mut self, variable: HostVariable) {
        let value = self.pop_number();
        make_atomic(built(self.builder.build_store(self.place_of_host(variable), value)));
        self.stack.push(Operand::Number(value));
    }

    fn place_of_host(&self, variable: HostVariable) -> PointerValue<'cx> {
        let place = self.unit.host_variable(variable);
        match self.references {
            References::Addresses => self.address(place.address),
            References::Symbols(_) => self.external(self.cx.f64_type(), &symbols::variable(&place.name)),
        }
    }
}

fn make_atomic(access: InstructionValue<'_>) {
    access.set_atomic_ordering(AtomicOrdering::Monotonic).expect("loads and stores may be monotonic");
    access.set_alignment(8).expect("8 is a power of two");
}
