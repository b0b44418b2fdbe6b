//! What a shared object shows of itself: C functions over plain data.

use std::ffi::c_void;
use std::slice;

/// The name under which a shared object has its [`Interface`], a static.
pub(crate) const NAME: &[u8] = b"KALEIDOSCOPE_CODE_GENERATOR\0";

/// Counts the changes to the interface and to the encoding of messages.
pub(crate) const VERSION: u32 = 4;

/// The functions of a shared object. Made by [`interface()`](crate::interface()), and called by [`Plugin`](crate::Plugin).
///
/// Promises of the shared object:
/// 1. The first word is the version, in all versions; the rest is as here if it is `VERSION`.
/// 2. No function unwinds. Each may be called on any thread, but those with a generator only on the thread that started it.
/// 3. Bytes that are passed in are read during the call only. A buffer that is passed out belongs to the caller, who gives it
///    back by `free_buffer`.
#[derive(Debug)]
#[repr(C)]
pub struct Interface {
    pub(crate) version: u32,
    /// Starts a code generator for the settings. The answer says why there is none, if there is none.
    pub(crate) start: unsafe extern "C" fn(settings: Bytes, answer: *mut Buffer) -> *mut c_void,
    /// Has the code generator do what the request says, and writes the answer.
    pub(crate) request: unsafe extern "C" fn(generator: *mut c_void, request: Bytes, answer: *mut Buffer),
    /// Ends a code generator. Code that it made stays.
    pub(crate) stop: unsafe extern "C" fn(generator: *mut c_void),
    /// Gives back code, by the handle that came with it.
    pub(crate) free_code: unsafe extern "C" fn(handle: *mut c_void),
    pub(crate) free_buffer: unsafe extern "C" fn(buffer: Buffer),
}

/// Bytes that are lent for the length of a call.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Bytes {
    start: *const u8,
    len: usize,
}

impl Bytes {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { start: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes.
    ///
    /// # Safety
    /// They are still lent for as long as `'a`.
    pub(crate) unsafe fn as_slice<'a>(self) -> &'a [u8] {
        // SAFETY: made of a slice, which the caller says is still lent.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }
}

/// Bytes that belong to whoever has them, on the heap of the side that made them.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Buffer {
    start: *mut u8,
    len: usize,
    capacity: usize,
}

impl Buffer {
    /// No bytes, and nothing to give back.
    pub(crate) fn empty() -> Self {
        Self::of(Vec::new())
    }

    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        Self { start: bytes.as_mut_ptr(), len: bytes.len(), capacity: bytes.capacity() }
    }

    /// The bytes, lent.
    pub(crate) fn bytes(&self) -> Bytes {
        Bytes { start: self.start, len: self.len }
    }

    /// The bytes, on the side that made them.
    ///
    /// # Safety
    /// This side made the buffer by [`of`](Self::of), and nobody uses it hereafter.
    pub(crate) unsafe fn into_vec(self) -> Vec<u8> {
        // SAFETY: these are the parts of a vector of this side's allocator, given up by `of`.
        unsafe { Vec::from_raw_parts(self.start, self.len, self.capacity) }
    }
}
