//! Entry points: what every C function does first. It catches panics, returns errors, and checks
//! the host's pointers.
//!
//! Each C function of this crate is one call of [`entry`] or [`ask`]. No other code catches panics.

use std::any::Any;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use crate::error::kls_error;
use crate::status::kls_status;

/// Runs the body of a C function, and writes its error or panic to `error`.
///
/// # Safety
/// `error` is null, or the host's pointer for an error.
pub(crate) unsafe fn entry(
    error: *mut *mut kls_error,
    body: impl FnOnce() -> Result<(), kls_error>,
) -> kls_status {
    let result = catch(body).unwrap_or_else(|message| Err(kls_error::new(kls_status::KLS_PANIC, message)));
    let (status, given) = match result {
        Ok(()) => (kls_status::KLS_OK, ptr::null_mut()),
        Err(failed) if error.is_null() => (failed.status(), ptr::null_mut()),
        Err(failed) => (failed.status(), Box::into_raw(Box::new(failed))),
    };
    if !error.is_null() {
        // SAFETY: not null, so the caller promised that it may be written to.
        unsafe { error.write(given) };
    }
    status
}

/// Runs the body of a C function that returns no error. After a panic, it returns `otherwise`.
pub(crate) fn ask<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch(body).unwrap_or(otherwise)
}

fn catch<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    // The engine's tables are consistent after a panic, and handles of this crate never change.
    catch_unwind(AssertUnwindSafe(body)).map_err(panic_message)
}

/// The message of a panic. A payload that is not text is leaked, because dropping it might panic
/// again.
fn panic_message(panic: Box<dyn Any + Send>) -> String {
    let panic = match panic.downcast::<String>() {
        Ok(text) => return format!("panic: {text}"),
        Err(panic) => panic,
    };
    match panic.downcast::<&'static str>() {
        Ok(text) => format!("panic: {text}"),
        Err(panic) => {
            std::mem::forget(panic);
            "panic".to_owned()
        }
    }
}

/// The error for a null pointer, which the header calls `name`.
fn null(name: &str) -> kls_error {
    kls_error::new(kls_status::KLS_INVALID_ARGUMENT, format!("`{name}` is NULL"))
}

/// The value that the host's pointer points to.
///
/// # Safety
/// `pointer` is null, or points to a `T` that lives and that no thread changes during `'a`.
pub(crate) unsafe fn borrowed<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, kls_error> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// The host's text.
///
/// # Safety
/// `pointer` is null, or points to a text ended by NUL that lives and that no thread changes during
/// `'a`.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, kls_error> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: not null, so the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str()
        .map_err(|error| kls_error::new(kls_status::KLS_NOT_UTF8, format!("`{name}` is not UTF-8: {error}")))
}

/// The host's array of `n` values. If `n` is 0, the pointer does not matter.
///
/// # Safety
/// `pointer` is null, or points to `n` values that live and that no thread changes during `'a`.
#[inline]
pub(crate) unsafe fn slice<'a, T>(pointer: *const T, n: usize, name: &str) -> Result<&'a [T], kls_error> {
    match n {
        0 => Ok(&[]),
        _ if pointer.is_null() => Err(null(name)),
        // SAFETY: not null, so the caller's promise.
        _ => Ok(unsafe { std::slice::from_raw_parts(pointer, n) }),
    }
}

/// As [`slice()`], for values to write.
///
/// # Safety
/// `pointer` is null, or points to `n` values that live during `'a`, and that nothing else
/// accesses.
pub(crate) unsafe fn slice_mut<'a, T>(
    pointer: *mut T,
    n: usize,
    name: &str,
) -> Result<&'a mut [T], kls_error> {
    match n {
        0 => Ok(&mut []),
        _ if pointer.is_null() => Err(null(name)),
        // SAFETY: not null, so the caller's promise.
        _ => Ok(unsafe { std::slice::from_raw_parts_mut(pointer, n) }),
    }
}

/// The host's pointer to a result. It is not null.
pub(crate) struct OutPointer<T>(*mut T);

impl<T> OutPointer<T> {
    /// # Safety
    /// `pointer` is null, or may be written to while this value lives.
    pub(crate) unsafe fn new(pointer: *mut T, name: &str) -> Result<Self, kls_error> {
        if pointer.is_null() { Err(null(name)) } else { Ok(Self(pointer)) }
    }

    #[inline]
    pub(crate) fn write(&self, value: T) {
        // SAFETY: not null, so the promise of `new` holds.
        unsafe { self.0.write(value) };
    }
}

impl<T> OutPointer<*mut T> {
    /// Hands a new handle over to the host.
    pub(crate) fn give(&self, handle: T) {
        self.write(Box::into_raw(Box::new(handle)));
    }
}

/// Frees a handle of the host.
///
/// # Safety
/// `handle` is null, or comes from [`OutPointer::give`] or [`entry`] and was not freed.
pub(crate) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: not null, so the caller promised that it comes from a box, and has no other
        // owner.
        let handle = unsafe { Box::from_raw(handle) };
        ask((), || drop(handle));
    }
}

#[cfg(test)]
mod tests;
