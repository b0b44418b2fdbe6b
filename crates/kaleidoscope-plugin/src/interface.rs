//! The interface of a shared object: C functions over plain data.

use std::ffi::c_void;
use std::slice;

/// The symbol of the static [`Interface`] in a shared object.
pub(crate) const NAME: &[u8] = b"KALEIDOSCOPE_CODE_GENERATOR\0";

/// The version of the interface and of the encoding of messages.
pub(crate) const VERSION: u32 = 12;

/// The functions of a shared object. [`interface()`](crate::interface()) makes it, and
/// [`Plugin`](crate::Plugin) calls it.
///
/// Promises of the shared object:
/// 1. The first word is the version, in all versions. If it is `VERSION`, the rest is as declared
///    here.
/// 2. No function unwinds. Each may be called on any thread, except that a generator stays on the
///    thread that started it.
/// 3. Bytes passed in are read during the call only. A buffer passed out belongs to the caller, who
///    frees it by `free_buffer`.
#[derive(Debug)]
#[repr(C)]
pub struct Interface {
    pub(crate) version: u32,
    /// Starts a code generator for the settings. If it returns null, the answer says why.
    pub(crate) start: unsafe extern "C" fn(settings: Bytes, answer: *mut Buffer) -> *mut c_void,
    /// Handles a request with the code generator, and writes the answer.
    pub(crate) request: unsafe extern "C" fn(generator: *mut c_void, request: Bytes, answer: *mut Buffer),
    /// Drops a code generator. Its code stays.
    pub(crate) stop: unsafe extern "C" fn(generator: *mut c_void),
    /// Frees code, by the handle that came with it.
    pub(crate) free_code: unsafe extern "C" fn(handle: *mut c_void),
    pub(crate) free_buffer: unsafe extern "C" fn(buffer: Buffer),
}

/// Bytes that are borrowed for the duration of a call.
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
    /// They stay borrowed for `'a`.
    pub(crate) unsafe fn as_slice<'a>(self) -> &'a [u8] {
        // SAFETY: made of a slice, which the caller says is still borrowed.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }
}

/// Bytes on the heap of the side that made them, owned by the side that has them.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Buffer {
    start: *mut u8,
    len: usize,
    capacity: usize,
}

impl Buffer {
    /// No bytes, and nothing to free.
    pub(crate) fn empty() -> Self {
        Self::of(Vec::new())
    }

    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        Self { start: bytes.as_mut_ptr(), len: bytes.len(), capacity: bytes.capacity() }
    }

    /// The bytes, borrowed.
    pub(crate) fn bytes(&self) -> Bytes {
        Bytes { start: self.start, len: self.len }
    }

    /// The bytes, on the side that made them.
    ///
    /// # Safety
    /// This side made the buffer by [`of`](Self::of), and no one uses it afterwards.
    pub(crate) unsafe fn into_vec(self) -> Vec<u8> {
        // SAFETY: `of` took these parts from a vector of this side's allocator.
        unsafe { Vec::from_raw_parts(self.start, self.len, self.capacity) }
    }
}
