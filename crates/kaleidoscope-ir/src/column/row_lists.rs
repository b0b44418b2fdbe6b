//! Row lists: which rows of a block take which leaf of a fork.

use super::node::MAX_LEAVES;

/// The number of rows of the rest, and of each leaf.
type RowCounts = [usize; MAX_LEAVES + 1];

/// Lists the rows of each leaf, in `lists` of `len` rows each: those of the rest first. Returns the
/// length of each list.
///
/// Does not branch: which rows take a leaf is often unpredictable.
pub(super) fn list_rows(selector: &[f64], lists: &mut [u32], len: usize) -> RowCounts {
    if lists.len() == 2 * len {
        return list_rows_of_one_leaf(selector, &mut lists[len..]);
    }
    let mut n_rows = RowCounts::default();
    for (row, &leaf) in (0_u32..).zip(selector) {
        let leaf = whole_number(leaf);
        lists[leaf * len + n_rows[leaf]] = row;
        n_rows[leaf] += 1;
    }
    n_rows
}

/// The same for a fork with one leaf. The only count stays in a register, which takes a third of
/// the time.
fn list_rows_of_one_leaf(selector: &[f64], list: &mut [u32]) -> RowCounts {
    let mut n_rows = 0;
    for (row, &leaf) in (0_u32..).zip(selector) {
        list[n_rows] = row;
        n_rows += usize::from(leaf != 0.0);
    }
    let mut counts = RowCounts::default();
    counts[0] = selector.len() - n_rows;
    counts[1] = n_rows;
    counts
}

/// A selector as an index.
#[inline(always)]
pub(super) fn whole_number(selector: f64) -> usize {
    // Above this number, the last bits of a double are those of a whole number.
    const WHOLE: f64 = (1_u64 << (f64::MANTISSA_DIGITS - 1)) as f64;
    (selector + WHOLE).to_bits() as usize & MAX_LEAVES
}
