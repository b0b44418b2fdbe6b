//! The outcome of a text: the values of its expressions, and its diagnostics.

use std::ffi::{CStr, c_char};

use crate::diagnostics::{Diagnostics, kls_diagnostic};
use crate::entry::{ask, borrowed, free};
use crate::status::kls_status;

/// The outcome of a text that was run. Freed by kls_outcome_free.
#[derive(Debug)]
pub struct kls_outcome {
    pub(crate) values: Vec<f64>,
    pub(crate) diagnostics: Diagnostics,
}

/// The number of top-level expressions that ran to their end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_outcome_n_values(outcome: *const kls_outcome) -> usize {
    // SAFETY: the host's promise.
    unsafe { borrowed(outcome, "outcome") }.map_or(0, |outcome| outcome.values.len())
}

/// One of the values, counted from 0; a NaN if there is no such value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_outcome_value(outcome: *const kls_outcome, index: usize) -> f64 {
    // SAFETY: the host's promise.
    let outcome = unsafe { borrowed(outcome, "outcome") };
    outcome.ok().and_then(|outcome| outcome.values.get(index)).copied().unwrap_or(f64::NAN)
}

/// The number of diagnostics: errors and warnings, in the order of the text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_outcome_n_diagnostics(outcome: *const kls_outcome) -> usize {
    // SAFETY: the host's promise.
    unsafe { borrowed(outcome, "outcome") }.map_or(0, |outcome| outcome.diagnostics.len())
}

/// Describes one of the diagnostics, counted from 0. Its texts are valid as long as the outcome.
///
/// Set `diagnostic->struct_size` before the call. KLS_INVALID_ARGUMENT if there is no such
/// diagnostic.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_outcome_diagnostic(
    outcome: *const kls_outcome,
    index: usize,
    diagnostic: *mut kls_diagnostic,
) -> kls_status {
    // SAFETY: the host's promise.
    let Ok(outcome) = (unsafe { borrowed(outcome, "outcome") }) else {
        return kls_status::KLS_INVALID_ARGUMENT;
    };
    // SAFETY: the host's promise.
    unsafe { outcome.diagnostics.describe(index, diagnostic) }
}

/// The diagnostics as text, with the places marked; empty if there are none. The text is valid as
/// long as the outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_outcome_text(outcome: *const kls_outcome) -> *const c_char {
    // SAFETY: the host's promise.
    let Ok(outcome) = (unsafe { borrowed(outcome, "outcome") }) else { return c"".as_ptr() };
    ask(c"", || -> &CStr { outcome.diagnostics.text() }).as_ptr()
}

/// Frees an outcome; does nothing for `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_outcome_free(outcome: *mut kls_outcome) {
    // SAFETY: the host's promise.
    unsafe { free(outcome) };
}
