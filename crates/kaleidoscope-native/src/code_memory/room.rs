//! What is free in the slabs: ranges of addresses, by place and by size. Knows numbers only, no memory.
//!
//! The smallest range that is large enough is taken, of several the lowest; neighbours within a slab grow together when
//! they are given back. Everything takes time logarithmic in the number of ranges.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// All ranges start and end at multiples of this many bytes, to which compilers align functions.
const UNIT: usize = 16;

/// The bytes that code of `n_bytes` takes: whole units, at least one.
pub(super) fn rounded(n_bytes: usize) -> usize {
    n_bytes.max(1).next_multiple_of(UNIT)
}

/// The free ranges. Those of one slab never touch each other.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// The length in bytes of each, by its first address.
    by_address: BTreeMap<usize, usize>,
    /// The same, shortest first.
    by_size: BTreeSet<(usize, usize)>,
}

impl Room {
    /// Takes `n_bytes`, a multiple of the unit, at a multiple of `align`.
    pub(super) fn take(&mut self, n_bytes: usize, align: usize) -> Option<usize> {
        // Ranges start at units: whatever more is asked for may have to be skipped.
        let padding = align.saturating_sub(UNIT);
        let &(found, start) = self.by_size.range((n_bytes + padding, 0)..).next()?;
        self.remove_range(start, found);
        let address = start.next_multiple_of(align);
        self.insert(start, address - start);
        self.insert(address + n_bytes, start + found - address - n_bytes);
        Some(address)
    }

    /// Gives `n_bytes` from `address` on back, which lie in `slab`.
    pub(super) fn put(&mut self, address: usize, n_bytes: usize, slab: Range<usize>) {
        let (mut start, mut end) = (address, address + n_bytes);
        let before = self.by_address.range(slab.start..start).next_back().map(|(&at, &length)| (at, length));
        if let Some((at, length)) = before.filter(|(at, length)| at + length == start) {
            self.remove_range(at, length);
            start = at;
        }
        // A slab may begin where another ends: they are given back to the system one by one.
        if let Some(&length) = self.by_address.get(&end).filter(|_| end < slab.end) {
            self.remove_range(end, length);
            end += length;
        }
        self.insert(start, end - start);
    }

    /// Whether all of the slab is free.
    pub(super) fn is_all_of(&self, slab: &Range<usize>) -> bool {
        self.by_address.get(&slab.start) == Some(&slab.len())
    }

    /// Forgets a slab that is all free.
    pub(super) fn remove(&mut self, slab: &Range<usize>) {
        self.remove_range(slab.start, slab.len());
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
