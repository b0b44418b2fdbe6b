//! Exit buffer: what invalidated code wrote when it was left.
//!
//! [`kaleidoscope_ir::compile::Invalidation::exit`] describes the layout.
#![allow(unsafe_code)]

use kaleidoscope_ir::Local;
use kaleidoscope_native::CodeAddress;
use std::{ptr, slice};

/// The values of an exit, and the memory of the code that wrote them.
pub(crate) struct ExitBuffer {
    /// The values of variables and operands.
    pub(crate) values: Vec<f64>,
    words: *mut usize,
    /// The variables of OSR code; null for other code.
    variables: *mut f64,
    layout: ExitLayout,
}

/// What the code that writes an exit buffer has besides its values.
#[derive(Clone, Copy)]
pub(crate) struct ExitLayout {
    /// The number of variables of OSR code; 0 for other code.
    pub(crate) n_variables: usize,
    /// The number of results of a row that the exit function leaves in the buffer.
    pub(crate) n_results: usize,
    /// The number of arguments with which the code continues elsewhere, if it can.
    pub(crate) n_arguments: Option<usize>,
}

impl ExitBuffer {
    /// Reads the buffer at an address.
    ///
    /// # Safety
    /// The address is that of an exit buffer with `n_values` values, of code with this layout. If
    /// it is one of OSR code, the code was given the address of `n_variables` doubles. No one else
    /// uses buffer and doubles as long as this exists.
    pub(crate) unsafe fn read(address: f64, n_values: usize, layout: ExitLayout) -> Self {
        let words: *mut usize = ptr::with_exposed_provenance_mut(address as usize);
        // SAFETY: the caller's promise.
        let values = unsafe { slice::from_raw_parts(words.wrapping_add(1).cast::<f64>(), n_values) }.to_vec();
        let variables = if layout.n_variables > 0 {
            // SAFETY: the caller's promise.
            ptr::with_exposed_provenance_mut(unsafe { words.read() })
        } else {
            ptr::null_mut()
        };
        Self { values, words, variables, layout }
    }

    /// Sets a variable of OSR code.
    ///
    /// # Panics
    /// If there is no such variable.
    pub(crate) fn set_variable(&mut self, variable: Local, value: f64) {
        assert!(variable.index() < self.layout.n_variables, "OSR code has this variable");
        // SAFETY: the index is below `n_variables`, so `read`'s caller has promised this double.
        unsafe { self.variables.wrapping_add(variable.index()).write(value) };
    }

    /// Leaves the results of a row in the buffer.
    ///
    /// # Panics
    /// If the code that wrote the buffer expects another number of them.
    pub(crate) fn set_results(&mut self, results: &[f64]) {
        assert_eq!(self.layout.n_results, results.len(), "the row has all of its results");
        let places = self.words.wrapping_add(1).cast::<f64>();
        // SAFETY: buffers of kernels with several results have room for these, by the description
        // of `Invalidation::exit`.
        unsafe { places.copy_from_nonoverlapping(results.as_ptr(), results.len()) };
    }

    /// Whether the code can continue in other code.
    pub(crate) fn continues_elsewhere(&self) -> bool {
        self.layout.n_arguments.is_some()
    }

    /// When the exit function returns, its caller ends in a tail call of this code with these
    /// arguments.
    ///
    /// # Panics
    /// If the code that wrote the buffer cannot do that, or with another number of arguments.
    pub(crate) fn continue_in(&mut self, code: CodeAddress, args: &[f64]) {
        assert_eq!(self.layout.n_arguments, Some(args.len()), "the code continues with its own arguments");
        let places = self.words.wrapping_add(1).cast::<f64>();
        // SAFETY: buffers of code that continues elsewhere have room for its arguments, by the
        // description of `Invalidation::exit`.
        unsafe { places.copy_from_nonoverlapping(args.as_ptr(), args.len()) };
        // SAFETY: the buffer begins with a word.
        unsafe { self.words.write(code.get()) };
    }
}
