//! Host variables, arrays and maths functions, as the interpreter uses them in every part of the
//! engine.

use crate::core::Core;
use crate::maths::{load_maths, maths_entry};
use crate::trap::Trap;
use kaleidoscope_ir::array::BadIndex;
use kaleidoscope_ir::interpreter::HostData;
use kaleidoscope_ir::{HostArray, HostVariable, MathsFunction};

impl HostData for Core {
    type Trap = Trap;

    fn maths(&self, function: MathsFunction, args: &[f64]) -> f64 {
        maths_entry(function).call(args)
    }

    fn check_maths(&self) -> Result<(), Trap> {
        load_maths()
    }

    fn variable(&self, variable: HostVariable) -> f64 {
        self.table().variable(variable).get()
    }

    fn set_variable(&self, variable: HostVariable, value: f64) {
        self.table().variable(variable).set(value);
    }

    fn element(&self, array: HostArray, index: f64) -> Result<f64, BadIndex> {
        let table = self.table();
        let (name, array) = table.array(array);
        array.read(name, index)
    }

    fn set_element(&self, array: HostArray, index: f64, value: f64) -> Result<(), BadIndex> {
        let table = self.table();
        let (name, array) = table.array(array);
        array.write(name, index, value)
    }
}
