//! The free ranges of addresses in slabs, or of offsets in their file, by address and by size.
//! Knows numbers only, no memory.
//!
//! Allocation takes the smallest range that is large enough, and of several the lowest. A freed
//! range merges with its neighbors within its slab. Each operation takes time logarithmic in the
//! number of ranges.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// All ranges start and end at multiples of this many bytes, to which compilers align functions.
const UNIT: usize = 16;

/// The bytes that `n_bytes` of code take: whole units, at least one.
pub(super) fn rounded(n_bytes: usize) -> usize {
    n_bytes.max(1).next_multiple_of(UNIT)
}

/// The free ranges. Ranges of one slab never touch each other.
#[derive(Debug, Default)]
pub(super) struct FreeRanges {
    /// The length in bytes of each range, by its first address.
    by_address: BTreeMap<usize, usize>,
    /// Length and first address, shortest first.
    by_size: BTreeSet<(usize, usize)>,
}

impl FreeRanges {
    /// Takes `n_bytes`, a multiple of the unit, at a multiple of `align`.
    pub(super) fn take(&mut self, n_bytes: usize, align: usize) -> Option<usize> {
        // A range starts at a unit, so up to this many bytes may be skipped to align the address.
        let padding = align.saturating_sub(UNIT);
        let &(found, start) = self.by_size.range((n_bytes + padding, 0)..).next()?;
        self.remove_range(start, found);
        let address = start.next_multiple_of(align);
        self.insert(start, address - start);
        self.insert(address + n_bytes, start + found - address - n_bytes);
        Some(address)
    }

    /// Frees `n_bytes` from `address` on, which lie in `slab`.
    pub(super) fn put(&mut self, address: usize, n_bytes: usize, slab: Range<usize>) {
        let (mut start, mut end) = (address, address + n_bytes);
        let before = self.by_address.range(slab.start..start).next_back().map(|(&at, &length)| (at, length));
        if let Some((at, length)) = before.filter(|(at, length)| at + length == start) {
            self.remove_range(at, length);
            start = at;
        }
        // Ranges of adjacent slabs do not merge: slabs are unmapped one by one.
        if let Some(&length) = self.by_address.get(&end).filter(|_| end < slab.end) {
            self.remove_range(end, length);
            end += length;
        }
        self.insert(start, end - start);
    }

    /// Whether the whole slab is free.
    pub(super) fn is_all_of(&self, slab: &Range<usize>) -> bool {
        self.by_address.get(&slab.start) == Some(&slab.len())
    }

    /// Removes a slab that is wholly free.
    pub(super) fn remove(&mut self, slab: &Range<usize>) {
        self.remove_range(slab.start, slab.len());
    }

    /// Where the last free range starts.
    pub(super) fn start_of_last(&self) -> Option<usize> {
        self.by_address.last_key_value().map(|(&start, _)| start)
    }

    fn insert(&mut self, start: usize, n_bytes: usize) {
        if n_bytes > 0 {
            self.by_address.insert(start, n_bytes);
            self.by_size.insert((n_bytes, start));
        }
    }

    fn remove_range(&mut self, start: usize, n_bytes: usize) {
        self.by_address.remove(&start);
        self.by_size.remove(&(n_bytes, start));
    }
}
