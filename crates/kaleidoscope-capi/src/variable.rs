//! Host variables: `double`s that programs share with the host.

use std::ffi::c_char;
use std::ptr;

use kaleidoscope::Variable;

use crate::engine::kls_engine;
use crate::entry::{OutPointer, borrowed, entry, free, text};
use crate::error::kls_error;
use crate::status::kls_status;

/// A `double` that programs read and assign under a name. Freed by kls_variable_free. Engines that
/// it was bound in keep using it.
#[derive(Debug)]
pub struct kls_variable {
    variable: Variable,
}

/// Creates a variable with this value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_variable_new(
    value: f64,
    variable: *mut *mut kls_variable,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let place = unsafe { OutPointer::new(variable, "variable") }?;
        place.give(kls_variable { variable: Variable::new(value) });
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Binds a variable to a name, so that programs can read and assign it. A variable may be bound in
/// several engines, and under several names. If a name is bound again, text read from then on uses
/// the new variable.
///
/// KLS_INVALID_NAME if the name is not an identifier of the language.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_bind(
    engine: *const kls_engine,
    name: *const c_char,
    variable: *const kls_variable,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        // SAFETY: the host's promise.
        let name = unsafe { text(name, "name") }?;
        // SAFETY: the host's promise.
        let variable = unsafe { borrowed(variable, "variable") }?;
        Ok(engine.engine.bind(name, &variable.variable)?)
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// The value, which a program may change at any time; a NaN for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_variable_get(variable: *const kls_variable) -> f64 {
    // SAFETY: the host's promise.
    unsafe { borrowed(variable, "variable") }.map_or(f64::NAN, |variable| variable.variable.get())
}

/// Assigns a value. Running programs see it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_variable_set(variable: *const kls_variable, value: f64) {
    // SAFETY: the host's promise.
    if let Ok(variable) = unsafe { borrowed(variable, "variable") } {
        variable.variable.set(value);
    }
}

/// The address of the value, for hosts that access it very often; `NULL` for `NULL`. It is valid as
/// long as the variable, or an engine that the variable was bound in.
///
/// If another thread may run a program that uses the variable, the host must access it atomically.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_variable_place(variable: *const kls_variable) -> *mut f64 {
    // SAFETY: the host's promise.
    unsafe { borrowed(variable, "variable") }.map_or(ptr::null_mut(), |variable| variable.variable.as_ptr())
}

/// Frees a variable; does nothing for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_variable_free(variable: *mut kls_variable) {
    // SAFETY: the host's promise.
    unsafe { free(variable) };
}
