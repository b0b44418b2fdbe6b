//! Host variables and arrays of the host: memory that code and host share, bound to ids.

use super::Jit;
use crate::array::Array;
use crate::variable::Variable;
use kaleidoscope_ir::{HostArray, HostVariable};

impl Jit {
    /// Adds a host variable under an id of its own, which IR refers to. Ids count up from 0. The
    /// engine keeps the variable as long as it exists. The name is for listings.
    pub fn bind(&self, name: &str, variable: &Variable) -> HostVariable {
        self.core.table().add_variable(name, variable)
    }

    /// The host variable of this id.
    ///
    /// # Panics
    /// If the id is unknown.
    pub fn variable(&self, id: HostVariable) -> Variable {
        self.core.table().variable(id).clone()
    }

    /// Adds an array of the host under an id of its own, which IR refers to. Ids count up from 0.
    /// The engine keeps the array as long as it exists. The name is for messages and listings.
    pub fn bind_array(&self, name: &str, array: &Array) -> HostArray {
        self.core.table().add_array(name, array)
    }

    /// The array of the host of this id.
    ///
    /// # Panics
    /// If the id is unknown.
    pub fn array(&self, id: HostArray) -> Array {
        let table = self.core.table();
        let (_, array) = table.array(id);
        array.clone()
    }
}
