//! Arrays of the host: `double`s that programs share with the host, and access by index.

use std::ffi::c_char;
use std::ptr;

use kaleidoscope::Array;

use crate::engine::kls_engine;
use crate::entry::{OutPointer, borrowed, entry, free, text};
use crate::error::kls_error;
use crate::status::kls_status;

/// `double`s that programs read and assign by index under a name. The number of elements is fixed,
/// and the first one is aligned to 64 bytes. Freed by kls_array_free. Engines that it was bound in
/// keep using it.
#[derive(Debug)]
pub struct kls_array {
    array: Array,
}

/// Creates an array of this many elements, which are 0.
///
/// KLS_MEMORY if there is no memory for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_array_new(
    n_elements: usize,
    array: *mut *mut kls_array,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let place = unsafe { OutPointer::new(array, "array") }?;
        let new = Array::try_new(n_elements);
        let new = new.map_err(|error| kls_error::new(kls_status::KLS_MEMORY, error.to_string()))?;
        place.give(kls_array { array: new });
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Binds an array to a name: in programs, `u(i)` is an element, and `u(i) = v` assigns one. The
/// index is truncated toward zero. An index that is NaN or out of range is an error of the call
/// (KLS3014).
///
/// Bind an array before a text that uses it is run. An array may be bound in several engines, and
/// under several names. A name keeps its array.
///
/// KLS_INVALID_NAME if the name is not an identifier of the language. KLS_NAME_IN_USE if a function
/// has the name, or another array.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_bind_array(
    engine: *const kls_engine,
    name: *const c_char,
    array: *const kls_array,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        // SAFETY: the host's promise.
        let name = unsafe { text(name, "name") }?;
        // SAFETY: the host's promise.
        let array = unsafe { borrowed(array, "array") }?;
        Ok(engine.engine.bind_array(name, &array.array)?)
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// The number of elements; 0 for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_array_n_elements(array: *const kls_array) -> usize {
    // SAFETY: the host's promise.
    unsafe { borrowed(array, "array") }.map_or(0, |array| array.array.len())
}

/// The address of the first element; `NULL` for `NULL`. It is valid as long as the array, or an
/// engine that the array was bound in.
///
/// If another thread may run a program that uses the array, the host must access each element
/// atomically.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_array_place(array: *const kls_array) -> *mut f64 {
    // SAFETY: the host's promise.
    unsafe { borrowed(array, "array") }.map_or(ptr::null_mut(), |array| array.array.as_ptr())
}

/// Frees an array; does nothing for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_array_free(array: *mut kls_array) {
    // SAFETY: the host's promise.
    unsafe { free(array) };
}
