//! The native half of the Python package `kaleidoscope_jit`: the engine, its functions, its errors.
//!
//! The other half is Python (`python/kaleidoscope_jit`): what NumPy's rules decide (broadcasting,
//! conversion), and what Python's frames know (the variables of a caller). This half never imports
//! NumPy: it reads arrays by the protocol `__array_struct__`. Generated code runs without Python's
//! lock. No panic crosses into Python: PyO3 makes exceptions of them.

#[allow(unsafe_code, reason = "reads memory of NumPy")]
mod columns;
#[allow(unsafe_code, reason = "sets a signal handler")]
mod ctrl_c;
mod engine;
mod errors;
mod events;
mod function;
mod host;
mod plugin;

use pyo3::prelude::*;

/// The extension module.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<engine::Engine>()?;
    module.add_class::<engine::Variable>()?;
    module.add_class::<function::Function>()?;
    module.add_function(wrap_pyfunction!(ctrl_c::use_main_thread, module)?)?;
    module.add_function(wrap_pyfunction!(ctrl_c::after_fork, module)?)?;
    module.add_function(wrap_pyfunction!(plugin::set_package_folder, module)?)
}
