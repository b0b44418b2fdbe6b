//! What every entry begins with: panics are caught, errors handed out, pointers of the host's looked at.
//!
//! A function of this crate is one call of [`entry`] around what it does. Nothing else here or in the other files catches panics.

use std::any::Any;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use crate::error::{kls_error, kls_status};

/// Runs the body of an entry, and hands out its error, or what it panicked with.
///
/// # Safety
/// `error` is null or a place of the host's.
pub(crate) unsafe fn entry(
    error: *mut *mut kls_error,
    body: impl FnOnce() -> Result<(), kls_error>,
) -> kls_status {
    let result = caught(body).unwrap_or_else(|message| Err(kls_error::new(kls_status::KLS_PANIC, message)));
    let (status, given) = match result {
        Ok(()) => (kls_status::KLS_OK, ptr::null_mut()),
        Err(failed) if error.is_null() => (failed.status(), ptr::null_mut()),
        Err(failed) => (failed.status(), Box::into_raw(Box::new(failed))),
    };
    if !error.is_null() {
        // SAFETY: not null, so by the caller's promise a place of the host's.
        unsafe { error.write(given) };
    }
    status
}

/// Runs what gives no error: after a panic the answer is `otherwise`.
pub(crate) fn ask<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    caught(body).unwrap_or(otherwise)
}

fn caught<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    // The engine's tables are whole after a panic, and the handles of this crate are not changed once they are made.
    catch_unwind(AssertUnwindSafe(body)).map_err(said)
}

/// What a panic said. What is no text is left where it is: dropping it might panic again.
fn said(panic: Box<dyn Any + Send>) -> String {
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

/// The error that a pointer, called `name` in the header, may not be null.
fn null(name: &str) -> kls_error {
    kls_error::new(kls_status::KLS_INVALID_ARGUMENT, format!("`{name}` is NULL"))
}

/// What the host's pointer points to.
///
/// # Safety
/// `pointer` is null or points to a `T` that lives, and that nobody changes, during `'a`.
pub(crate) unsafe fn borrowed<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, kls_error> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// The text of the host's.
///
/// # Safety
/// `pointer` is null or a text ended by NUL that lives, and that nobody changes, during `'a`.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, kls_error> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: not null, so the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str()
        .map_err(|error| kls_error::new(kls_status::KLS_NOT_UTF8, format!("`{name}` is not UTF-8: {error}")))
}

/// So many values of the host's; of none, the pointer does not matter.
///
/// # Safety
/// `pointer` is null or points to `n` values that live, and that nobody changes, during `'a`.
#[inline]
pub(crate) unsafe fn slice<'a, T>(pointer: *const T, n: usize, name: &str) -> Result<&'a [T], kls_error> {
    match n {
        0 => Ok(&[]),
        _ if pointer.is_null() => Err(null(name)),
        // SAFETY: not null, so the caller's promise.
        _ => Ok(unsafe { std::slice::from_raw_parts(pointer, n) }),
    }
}

/// As [`slice`], for values that are written.
///
/// # Safety
/// `pointer` is null or points to `n` values that live during `'a`, and that nobody else touches.
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

/// A place of the host's for a value, which is not null.
pub(crate) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// # Safety
    /// `pointer` is null or a place that may be written to while this value lives.
    pub(crate) unsafe fn new(pointer: *mut T, name: &str) -> Result<Self, kls_error> {
        if pointer.is_null() { Err(null(name)) } else { Ok(Self(pointer)) }
    }

    #[inline]
    pub(crate) fn write(&self, value: T) {
        // SAFETY: not null, so what was promised when this was made.
        unsafe { self.0.write(value) };
    }
}

impl<T> Place<*mut T> {
    /// Gives a handle to the host.
    pub(crate) fn give(&self, handle: T) {
        self.write(Box::into_raw(Box::new(handle)));
    }
}

/// Takes a handle back from the host.
///
/// # Safety
/// `handle` is null, or was given by [`Place::give`] or [`entry`] and not yet taken back.
pub(crate) unsafe fn take_back<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: not null, so the caller's promise: it is a box's, and nobody else's.
        let handle = unsafe { Box::from_raw(handle) };
        ask((), || drop(handle));
    }
}

/// The text for C, without the characters that would end it early.
pub(crate) fn c_text(text: impl Into<String>) -> CString {
    let mut text = text.into();
    text.retain(|c| c != '\0');
    CString::new(text).expect("there is no NUL left")
}

#[cfg(test)]
mod tests;
