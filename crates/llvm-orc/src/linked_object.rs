//! Linked objects as a session shows them to the program: with their tracker and their addresses.

use std::ffi::{CStr, c_char};
use std::fmt;

use crate::address::Address;
use crate::object::Object;

/// Identifies a [`Tracker`](crate::Tracker) as long as it lives: see
/// [`Tracker::id`](crate::Tracker::id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrackerId(pub(crate) usize);

/// An object that a session has linked, whoever added it. See
/// [`JitBuilder::on_linked`](crate::JitBuilder::on_linked).
pub struct LinkedObject<'a> {
    raw: &'a RawLinkedObject,
}

/// A section or a function of a linked object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedRange {
    name: String,
    address: Address,
    n_bytes: u64,
}

impl LinkedRange {
    /// The name of the section or function.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of its first byte.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Its size.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }
}

impl LinkedObject<'_> {
    /// The tracker that owns the object's code. Objects that no tracker of the program owns have
    /// the identifier of LLVM's default tracker of their dylib.
    #[must_use]
    pub fn tracker(&self) -> TrackerId {
        TrackerId(self.raw.tracker as usize)
    }

    /// The name of the dylib.
    #[must_use]
    pub fn dylib_name(&self) -> String {
        // SAFETY: the shim passes a NUL-terminated text that lives during the call.
        unsafe { CStr::from_ptr(self.raw.dylib_name) }.to_string_lossy().into_owned()
    }

    /// A copy of the object file.
    #[must_use]
    pub fn object(&self) -> Object {
        // SAFETY: the shim passes a buffer of this length that lives during the call.
        let bytes = unsafe { std::slice::from_raw_parts(self.raw.bytes, self.raw.n_bytes) };
        Object::trusted(bytes.into())
    }

    /// The sections that are in memory, with their addresses.
    #[must_use]
    pub fn sections(&self) -> Vec<LinkedRange> {
        // SAFETY: the shim passes an array of this length that lives during the call.
        unsafe { ranges(self.raw.sections, self.raw.n_sections) }
    }

    /// The functions, local ones too, with their addresses.
    #[must_use]
    pub fn functions(&self) -> Vec<LinkedRange> {
        // SAFETY: as above.
        unsafe { ranges(self.raw.functions, self.raw.n_functions) }
    }
}

impl fmt::Debug for LinkedObject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkedObject")
            .field("tracker", &self.tracker())
            .field("dylib_name", &self.dylib_name())
            .field("functions", &self.functions())
            .finish_non_exhaustive()
    }
}

/// Same layout as `NamedRange` in shim/session_hooks.h.
#[repr(C)]
struct RawRange {
    name: *const u8,
    length: usize,
    address: u64,
    n_bytes: u64,
}

/// Same layout as `LinkedObject` in shim/session_hooks.h.
#[repr(C)]
pub(crate) struct RawLinkedObject {
    dylib_name: *const c_char,
    tracker: u64,
    bytes: *const u8,
    n_bytes: usize,
    sections: *const RawRange,
    n_sections: usize,
    functions: *const RawRange,
    n_functions: usize,
}

impl<'a> LinkedObject<'a> {
    pub(crate) fn new(raw: &'a RawLinkedObject) -> Self {
        Self { raw }
    }
}

/// # Safety
/// The array has `length` elements, whose names are alive, or `length` is zero.
unsafe fn ranges(start: *const RawRange, length: usize) -> Vec<LinkedRange> {
    if length == 0 {
        return Vec::new();
    }
    // SAFETY: guaranteed by the caller.
    let raw = unsafe { std::slice::from_raw_parts(start, length) };
    let ranges = raw.iter().map(|range| LinkedRange {
        // SAFETY: guaranteed by the caller.
        name: String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(range.name, range.length) })
            .into_owned(),
        address: Address::new(range.address),
        n_bytes: range.n_bytes,
    });
    ranges.collect()
}
