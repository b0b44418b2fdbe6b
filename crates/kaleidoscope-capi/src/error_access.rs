//! The C functions of errors.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use crate::diagnostics::kls_diagnostic;
use crate::entry::{ask, borrowed, free};
use crate::error::kls_error;
use crate::host_data::kls_destroy;
use crate::status::kls_status;

/// The status of the error; KLS_OK for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_status(error: *const kls_error) -> kls_status {
    // SAFETY: the host's promise.
    unsafe { borrowed(error, "error") }.map_or(kls_status::KLS_OK, kls_error::status)
}

/// The error in one sentence, lower case, without the final dot; empty for `NULL`. The text is
/// valid as long as the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_message(error: *const kls_error) -> *const c_char {
    // SAFETY: the host's promise.
    unsafe { borrowed(error, "error") }.map_or(c"", |error| &error.message).as_ptr()
}

/// The stable code of the first error in the program, or of the failed call, for example "KLS3004";
/// empty if there is none. The text is valid as long as the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_code(error: *const kls_error) -> *const c_char {
    // SAFETY: the host's promise.
    let error = unsafe { borrowed(error, "error") };
    error.ok().and_then(|error| error.diagnostics.first_error_code()).unwrap_or(c"").as_ptr()
}

/// The row of a scan or fold that was not completed, from 0: all rows before it are done, and none
/// behind it. -1 for other errors and for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_row(error: *const kls_error) -> i64 {
    // SAFETY: the host's promise.
    let error = unsafe { borrowed(error, "error") };
    error.ok().and_then(kls_error::row).and_then(|row| i64::try_from(row).ok()).unwrap_or(-1)
}

/// The data of the host function that failed, if it was passed to kls_call_fail_with together with
/// this `destroy`, which tells whose data it is; otherwise `NULL`. The error owns the data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_data(error: *const kls_error, destroy: kls_destroy) -> *mut c_void {
    // SAFETY: the host's promise.
    let error = unsafe { borrowed(error, "error") };
    error.ok().and_then(kls_error::data).and_then(|data| data.pointer_of(destroy)).unwrap_or(ptr::null_mut())
}

/// The number of diagnostics of the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_n_diagnostics(error: *const kls_error) -> usize {
    // SAFETY: the host's promise.
    unsafe { borrowed(error, "error") }.map_or(0, |error| error.diagnostics.len())
}

/// Describes one of the error's diagnostics, counted from 0. Its texts are valid as long as the
/// error.
///
/// Set `diagnostic->struct_size` before the call. KLS_INVALID_ARGUMENT if there is no such
/// diagnostic.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_diagnostic(
    error: *const kls_error,
    index: usize,
    diagnostic: *mut kls_diagnostic,
) -> kls_status {
    // SAFETY: the host's promise.
    let Ok(error) = (unsafe { borrowed(error, "error") }) else { return kls_status::KLS_INVALID_ARGUMENT };
    // SAFETY: the host's promise.
    unsafe { error.diagnostics.describe(index, diagnostic) }
}

/// The error as text; for a formula, with the places marked in it. The text ends with a new line,
/// and is valid as long as the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_text(error: *const kls_error) -> *const c_char {
    // SAFETY: the host's promise.
    let Ok(error) = (unsafe { borrowed(error, "error") }) else { return c"".as_ptr() };
    if error.diagnostics.len() == 0 {
        return error.message.as_ptr();
    }
    ask(c"", || -> &CStr { error.diagnostics.text() }).as_ptr()
}

/// Frees an error; does nothing for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_free(error: *mut kls_error) {
    // SAFETY: the host's promise.
    unsafe { free(error) };
}
