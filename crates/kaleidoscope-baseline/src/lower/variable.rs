//! Variables of the host: memory that other threads read and write meanwhile.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, types};
use kaleidoscope_ir::HostVariable;

use super::Lowering;

impl Lowering<'_> {
    /// An atomic load, which Cranelift makes anew each time: after a plain one, a loop that waits for another thread would
    /// never look again. Here it is an ordinary instruction.
    pub(super) fn get_host(&mut self, variable: HostVariable) {
        let address = self.address(self.unit.host_variable(variable).address);
        let bits = self.ins().atomic_load(types::I64, MemFlagsData::trusted(), address);
        let value = self.ins().bitcast(types::F64, MemFlagsData::new(), bits);
        self.push(value);
    }

    /// A plain store of an aligned word: no other thread sees half of it, and Cranelift leaves no store out. An atomic one would
    /// bring order as well, which takes some twenty times as long.
    pub(super) fn set_host(&mut self, variable: HostVariable) {
        let value = self.pop_number();
        let address = self.address(self.unit.host_variable(variable).address);
        self.ins().store(MemFlagsData::trusted(), value, address, 0);
        self.push(value);
    }
}
