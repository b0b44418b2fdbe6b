//! What LLVM says of the host, and what it has no memory for.

use std::ffi::c_char;

use super::{Target, query_host};
use crate::error::ErrorKind;

#[test]
fn a_host_that_cannot_be_described_is_an_error() {
    unsafe extern "C" fn none() -> *mut c_char {
        std::ptr::null_mut()
    }
    // SAFETY: it returns null.
    let text = unsafe { query_host(none) };
    assert_eq!(text.unwrap_err().kind(), ErrorKind::OutOfMemory);
    assert!(!Target::host().unwrap().triple().is_empty());
}
