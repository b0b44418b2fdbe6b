//! Arrays of the host: which numbers are indices of their elements.
//!
//! An array is memory that the host and programs share. The IR names it by its id
//! ([`HostArray`](crate::HostArray)); its memory belongs to the engine. All tiers decide by
//! [`element_at`], or by code that decides the same.

use crate::number::Shown;
use std::fmt;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// The element that a program means by this index: the index is truncated toward zero. `None` for
/// NaN, and where the array has no such element.
#[inline]
pub fn element_at(index: f64, len: usize) -> Option<usize> {
    // What is too large saturates.
    let at = index as usize;
    (index > -1.0 && at < len).then_some(at)
}

/// An index that means no element: NaN, negative, or too large.
#[derive(Clone, Debug, PartialEq)]
pub struct BadIndex {
    /// The array's name.
    pub array: Arc<str>,
    /// The index.
    pub index: f64,
    /// The number of elements.
    pub len: usize,
}

impl fmt::Display for BadIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { array, index, len } = self;
        let elements = if *len == 1 { "element" } else { "elements" };
        write!(f, "`{array}` has {len} {elements}, the index is {}", Shown(*index))
    }
}

impl std::error::Error for BadIndex {}
