//! Buffers with bytes, and none.

use super::MemoryBuffer;
use crate::error::ErrorKind;

#[test]
fn a_buffer_has_a_copy_of_the_bytes() {
    assert_eq!(MemoryBuffer::copy_of(b"bytes").unwrap().bytes(), b"bytes");
    assert_eq!(MemoryBuffer::copy_of(b"").unwrap().bytes(), b"");
}

#[test]
fn no_buffer_is_an_error() {
    // SAFETY: null is allowed.
    let none = unsafe { MemoryBuffer::from_raw(std::ptr::null_mut()) };
    assert_eq!(none.err().unwrap().kind(), ErrorKind::OutOfMemory);
}
