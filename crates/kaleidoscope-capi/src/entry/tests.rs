//! Panics become errors, whatever their payload is.

use std::ffi::CStr;
use std::panic::panic_any;
use std::ptr;

use super::{ask, entry};
use crate::c_text::c_text;
use crate::error_access::{kls_error_free, kls_error_message};
use crate::status::kls_status;

fn check(body: fn(), message: &CStr) {
    let body = || {
        body();
        Ok(())
    };
    let mut error = ptr::null_mut();
    // SAFETY: the place is ours.
    let status = unsafe { entry(&raw mut error, body) };
    assert_eq!(status, kls_status::KLS_PANIC);
    // SAFETY: the error was given just now.
    let text = unsafe { kls_error_message(error) };
    // SAFETY: a text that lives as long as the error.
    assert_eq!(unsafe { CStr::from_ptr(text) }, message);
    // SAFETY: given above, and not used any more.
    unsafe { kls_error_free(error) };
    // SAFETY: a null pointer is allowed.
    assert_eq!(unsafe { entry(ptr::null_mut(), body) }, kls_status::KLS_PANIC);
}

/// Panics again when it is dropped.
struct Stubborn;

impl Drop for Stubborn {
    fn drop(&mut self) {
        panic!("and again");
    }
}

#[test]
fn panics_become_errors() {
    check(|| panic!("simply"), c"panic: simply");
    check(|| panic!("with {}", 1), c"panic: with 1");
    check(|| panic_any(1), c"panic");
    check(|| panic_any(Stubborn), c"panic");
    assert_eq!(ask(7, || panic!("answered")), 7);
}

#[test]
fn texts_for_c_hold_no_nul() {
    assert_eq!(c_text("a\0b\0"), c"ab".to_owned());
}
