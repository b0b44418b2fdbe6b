//! The address of code: a number that says what it is. Owns nothing and promises nothing: whoever jumps does.

use std::fmt;

/// The address of machine code with the C ABI of doubles.
///
/// A plain number: making one is safe, entering it ([`call`](crate::call()), [`Stub::redirect`](crate::Stub::redirect))
/// is not.
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
