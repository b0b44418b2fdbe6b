//! Exit buffer: what invalidated code wrote when it was left.
//!
//! [`kaleidoscope_ir::compile::Invalidation::exit`] describes the layout.
#![allow(unsafe_code)]

use kaleidoscope_ir::Local;
use std::{ptr, slice};

/// The values of an exit, and the variables that OSR code runs on.
pub(crate) struct ExitBuffer {
    /// The values of variables and operands.
    pub(crate) values: Vec<f64>,
    /// The variables of OSR code; null for other code.
    variables: *mut f64,
    n_variables: usize,
}

impl ExitBuffer {
    /// Reads the buffer at an address. `n_variables` is the number of variables of OSR code; `None`
    /// for other code.
    ///
    /// # Safety
    /// The address is that of an exit buffer with `n_values` values. If it is one of OSR code, the
    /// code was given the address of `n_variables` doubles, and no one else uses them as long as
    /// this exists.
    pub(crate) unsafe fn read(address: f64, n_values: usize, n_variables: Option<usize>) -> Self {
        let words: *const usize = ptr::with_exposed_provenance(address as usize);
        // SAFETY: the caller's promise.
        let values = unsafe { slice::from_raw_parts(words.wrapping_add(1).cast::<f64>(), n_values) }.to_vec();
        let variables = match n_variables {
            // SAFETY: the caller's promise.
            Some(_) => ptr::with_exposed_provenance_mut(unsafe { words.read() }),
            None => ptr::null_mut(),
        };
        Self { values, variables, n_variables: n_variables.unwrap_or(0) }
    }

    /// Sets a variable of OSR code.
    ///
    /// # Panics
    /// If there is no such variable.
    pub(crate) fn set_variable(&mut self, variable: Local, value: f64) {
        assert!(variable.index() < self.n_variables, "OSR code has this variable");
        // SAFETY: the index is below `n_variables`, so `read`'s caller has promised this double.
        unsafe { self.variables.wrapping_add(variable.index()).write(value) };
    }
}
