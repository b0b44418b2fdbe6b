//! The address of machine code, as a type of its own. Owns nothing.

use std::fmt;

/// The address of machine code with the C ABI of doubles.
///
/// A plain number: making one is safe. Entering the code is not; see [`call`](crate::call()) and
/// [`Stub::redirect`](crate::Stub::redirect).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct CodeAddress(usize);

impl CodeAddress {
    /// The code at `address`.
    pub const fn new(address: usize) -> Self {
        Self(address)
    }

    /// The address as a number.
    pub const fn get(self) -> usize {
        self.0
    }
}

impl fmt::Debug for CodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeAddress({:#x})", self.0)
    }
}
