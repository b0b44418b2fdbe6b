//! Variables that programs share with the host.

use std::ffi::c_char;
use std::ptr;

use kaleidoscope::Variable;

use crate::engine::kls_engine;
use crate::entry::{Place, borrowed, entry, take_back, text};
use crate::error::{kls_error, kls_status};

/// A `double` that programs read and assign under a name. Given back by kls_variable_free; an engine that it was bound in goes on with it.
#[derive(Debug)]
pub struct kls_variable {
    variable: Variable,
}

/// Makes a variable with this value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_variable_new(
    value: f64,
    variable: *mut *mut kls_variable,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let place = unsafe { Place::new(variable, "variable") }?;
        place.give(kls_variable { variable: Variable::new(value) });
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Lets programs read and assign the variable by this name. It may be bound in several engines, and under several names. When
/// a name is bound again, text that is read from then on means the new variable.
///
/// KLS_INVALID_NAME when the language has no such name.
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

/// Gives the variable another value, which programs that run see as well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_variable_set(variable: *const kls_variable, value: f64) {
    // SAFETY: the host's promise.
    if let Ok(variable) = unsafe { borrowed(variable, "variable") } {
        variable.variable.set(value);
    }
}

/// Where the value is, for hosts that read and write it very often; `NULL` for `NULL`. It stays there as long as the variable, or an
/// engine that it was bound in.
///
/// While another thread may be in a program that uses the variable, the host's accesses have to be atomic.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_variable_place(variable: *const kls_variable) -> *mut f64 {
    // SAFETY: the host's promise.
    unsafe { borrowed(variable, "variable") }.map_or(ptr::null_mut(), |variable| variable.variable.as_ptr())
}

/// Gives a variable back; nothing for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_variable_free(variable: *mut kls_variable) {
    // SAFETY: the host's promise.
    unsafe { take_back(variable) };
}
