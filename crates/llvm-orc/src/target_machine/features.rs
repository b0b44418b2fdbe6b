//! Condensed processor features: omits those that the processor's name implies.
//!
//! Rust side of shim/features.cpp, which says why.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};

use crate::error::take_message;

// SAFETY: the signatures are those at the end of `shim/features.cpp`.
unsafe extern "C" {
    fn llvm_orc_condense_features(
        triple: *const c_char,
        cpu: *const c_char,
        features: *const c_char,
    ) -> *mut c_char;
    fn llvm_orc_unknown_name(
        triple: *const c_char,
        cpu: *const c_char,
        features: *const c_char,
    ) -> *mut c_char;
}

/// Which of processor and features the target does not have, as a sentence. The target must be
/// registered.
pub(crate) fn unknown_name(triple: &CStr, cpu: &CStr, features: &CStr) -> Option<String> {
    // SAFETY: the texts are NUL-terminated.
    let text = unsafe { llvm_orc_unknown_name(triple.as_ptr(), cpu.as_ptr(), features.as_ptr()) };
    // SAFETY: we own the text.
    (!text.is_null()).then(|| unsafe { take_message(text) })
}

/// The shortest feature text that selects the same processor. The target must be registered.
pub(super) fn condense<'a>(triple: &CStr, cpu: &CStr, features: &'a CStr) -> Cow<'a, CStr> {
    // SAFETY: the texts are NUL-terminated.
    let text = unsafe { llvm_orc_condense_features(triple.as_ptr(), cpu.as_ptr(), features.as_ptr()) };
    if text.is_null() {
        return Cow::Borrowed(features);
    }
    // SAFETY: we own the text.
    let text = unsafe { take_message(text) };
    CString::new(text).map_or(Cow::Borrowed(features), Cow::Owned)
}

#[cfg(test)]
mod tests;
