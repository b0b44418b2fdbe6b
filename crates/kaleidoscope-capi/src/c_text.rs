//! Texts for C.

use std::ffi::CString;

/// The text for C, without NUL characters, which would end it early.
pub(crate) fn c_text(text: impl Into<String>) -> CString {
    let mut text = text.into();
    text.retain(|c| c != '\0');
    CString::new(text).expect("there is no NUL left")
}
