//! Errors: which sort, a sentence, and where they come from a program or a call, its diagnostics.

use std::ffi::{CStr, CString, c_char};

use kaleidoscope::{CallError, Diagnostic, DiagnosticCode, Error, ErrorKind, Source};

use crate::diagnostics::{Diagnostics, kls_diagnostic};
use crate::entry::{ask, borrowed, c_text, take_back};

/// How a call of this library ended.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum kls_status {
    /// As it should.
    KLS_OK = 0,
    /// An argument makes no sense: it is `NULL`, too large, or of a newer version of this library.
    KLS_INVALID_ARGUMENT = 1,
    /// A text is not UTF-8.
    KLS_NOT_UTF8 = 2,
    /// The operating system gave no memory.
    KLS_MEMORY = 3,
    /// No function has the name.
    KLS_UNKNOWN_FUNCTION = 4,
    /// The language has no such name: it is no identifier, or a keyword.
    KLS_INVALID_NAME = 5,
    /// The program or the formula has errors; the diagnostics say which.
    KLS_PROGRAM = 6,
    /// A call ended early; the code says why.
    KLS_CALL = 7,
    /// A call was stopped by kls_engine_interrupt.
    KLS_INTERRUPTED = 8,
    /// A call took longer than it may.
    KLS_TIMED_OUT = 9,
    /// An error in this library, which has caught it.
    KLS_PANIC = 10,
}

/// An error. Given back by kls_error_free.
#[derive(Debug)]
pub struct kls_error {
    status: kls_status,
    message: CString,
    diagnostics: Diagnostics,
}

impl kls_error {
    pub(crate) fn new(status: kls_status, message: impl Into<String>) -> Self {
        Self { status, message: c_text(message), diagnostics: Diagnostics::default() }
    }

    /// What is wrong with a text.
    pub(crate) fn of_program(diagnostics: Vec<Diagnostic>, source: Source) -> Self {
        let first = diagnostics.iter().find(|diagnostic| diagnostic.is_error());
        let message = c_text(first.map_or("", |diagnostic| &diagnostic.message));
        let diagnostics = Diagnostics::new(diagnostics, source);
        Self { status: kls_status::KLS_PROGRAM, message, diagnostics }
    }

    pub(crate) fn status(&self) -> kls_status {
        self.status
    }
}

impl From<Error> for kls_error {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Memory => kls_status::KLS_MEMORY,
            ErrorKind::UnknownFunction => kls_status::KLS_UNKNOWN_FUNCTION,
            ErrorKind::InvalidName => kls_status::KLS_INVALID_NAME,
            _ => kls_status::KLS_INVALID_ARGUMENT,
        };
        Self::new(status, error.to_string())
    }
}

impl From<CallError> for kls_error {
    #[cold]
    fn from(error: CallError) -> Self {
        let status = match error.code() {
            DiagnosticCode::Interrupted => kls_status::KLS_INTERRUPTED,
            DiagnosticCode::TimedOut => kls_status::KLS_TIMED_OUT,
            _ => kls_status::KLS_CALL,
        };
        let diagnostic = Diagnostic::error(error.code(), None, error.to_string());
        Self { status, ..Self::of_program(vec![diagnostic], Source::new("call", "")) }
    }
}

/// Which sort of error it is; KLS_OK for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_status(error: *const kls_error) -> kls_status {
    // SAFETY: the host's promise.
    unsafe { borrowed(error, "error") }.map_or(kls_status::KLS_OK, kls_error::status)
}

/// The error in a sentence, lower case, without the final dot; empty for `NULL`. It lives as long as the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_message(error: *const kls_error) -> *const c_char {
    // SAFETY: the host's promise.
    unsafe { borrowed(error, "error") }.map_or(c"", |error| &error.message).as_ptr()
}

/// The stable code of the first error in the program, or of why the call ended early: "KLS3004", say. Empty where there is none.
/// It lives as long as the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_code(error: *const kls_error) -> *const c_char {
    // SAFETY: the host's promise.
    let error = unsafe { borrowed(error, "error") };
    error.ok().and_then(|error| error.diagnostics.first_error_code()).unwrap_or(c"").as_ptr()
}

/// How many diagnostics belong to the error: what is wrong with a formula, each with its place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_n_diagnostics(error: *const kls_error) -> usize {
    // SAFETY: the host's promise.
    unsafe { borrowed(error, "error") }.map_or(0, |error| error.diagnostics.len())
}

/// Describes one of the error's diagnostics, counted from 0. The texts live as long as the error.
///
/// `diagnostic->struct_size` has to be set before. KLS_INVALID_ARGUMENT where there is no such diagnostic.
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

/// The error as text for a person: for a formula, with the places marked in it. It ends with a new line, and lives as long
/// as the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_text(error: *const kls_error) -> *const c_char {
    // SAFETY: the host's promise.
    let Ok(error) = (unsafe { borrowed(error, "error") }) else { return c"".as_ptr() };
    if error.diagnostics.len() == 0 {
        return error.message.as_ptr();
    }
    ask(c"", || -> &CStr { error.diagnostics.text() }).as_ptr()
}

/// Gives an error back; nothing for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_error_free(error: *mut kls_error) {
    // SAFETY: the host's promise.
    unsafe { take_back(error) };
}
