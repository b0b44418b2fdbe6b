//! Host variables: doubles that programs and the host share.
//!
//! Code contains the address of the double, so a read is a load. Every access is atomic with
//! relaxed ordering: a reader sees some value that was written, and nothing follows for other
//! memory.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A double that programs read and assign under a name.
///
/// Clones are the same variable. It may be used from any thread, and bound in several engines and
/// under several names. The host sees the bits that a program wrote; the sign and payload of a NaN
/// are unspecified.
#[derive(Clone, Default)]
pub struct Variable(Arc<AtomicU64>);

impl Variable {
    /// A variable with this value.
    pub fn new(value: f64) -> Self {
        Self(Arc::new(AtomicU64::new(value.to_bits())))
    }

    /// The value.
    #[inline]
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Assigns a value. Running programs see it: a loop that waits for it ends.
    #[inline]
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// The address of the value, for hosts in C. It is valid as long as a clone exists, or an
    /// engine that the variable was bound in. A program may read and write it at any time.
    pub fn as_ptr(&self) -> *mut f64 {
        self.0.as_ptr().cast()
    }

    /// The address of the value, valid as long as a clone exists.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Variable").field(&self.get()).finish()
    }
}
