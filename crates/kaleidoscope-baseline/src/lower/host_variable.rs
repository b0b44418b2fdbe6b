//! Host variables: memory that other threads read and write at the same time.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use kaleidoscope_ir::HostVariable;

use super::Lowering;

impl Lowering<'_> {
    /// An atomic load, which Cranelift never merges with another one: a loop that waits for another
    /// thread must load in each iteration. On x86-64 the load is an ordinary instruction.
    pub(super) fn load_host(&mut self, variable: HostVariable) -> Value {
        let address = self.address(self.unit.host_variable(variable).address);
        let bits = self.ins().atomic_load(types::I64, MemFlagsData::trusted(), address);
        self.ins().bitcast(types::F64, MemFlagsData::new(), bits)
    }

    /// A plain store of an aligned word: no other thread sees half of it, and Cranelift removes no
    /// stores. An atomic store would be ordered too, which takes some twenty times as long.
    pub(super) fn store_host(&mut self, variable: HostVariable, value: Value) {
        let address = self.address(self.unit.host_variable(variable).address);
        self.ins().store(MemFlagsData::trusted(), value, address, 0);
    }
}
