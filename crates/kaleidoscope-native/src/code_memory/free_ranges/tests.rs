//! Taken ranges never overlap, and freed ranges can be taken again.

use super::*;

const SLABS: [Range<usize>; 3] = [0x1000..0x3000, 0x3000..0x5000, 0x9000..0xa000];

fn free_ranges() -> FreeRanges {
    let mut free = FreeRanges::default();
    for slab in SLABS {
        free.put(slab.start, slab.len(), slab);
    }
    free
}

fn slab_of(address: usize) -> Range<usize> {
    SLABS.into_iter().find(|slab| slab.contains(&address)).unwrap()
}

#[test]
fn the_smallest_sufficient_range_is_taken() {
    let mut free = free_ranges();
    assert_eq!(free.take(0x20, 16), Some(0x9000));
    assert_eq!(free.take(0x1000, 16), Some(0x1000));
    assert_eq!(free.take(0xfe0, 16), Some(0x9020));
    assert_eq!(free.take(0x2010, 16), None);
    assert_eq!(free.take(0x2000, 16), Some(0x3000));
}

#[test]
fn skipped_bytes_stay_free() {
    let mut free = free_ranges();
    assert_eq!(free.take(0x10, 16), Some(0x9000));
    assert_eq!(free.take(0x10, 0x100), Some(0x9100));
    assert_eq!(free.take(0xf0, 16), Some(0x9010));
}

#[test]
fn ranges_of_adjacent_slabs_do_not_merge() {
    let mut free = free_ranges();
    assert_eq!(free.take(0x2000, 16), Some(0x1000));
    free.put(0x1000, 0x2000, slab_of(0x1000));
    for slab in SLABS {
        assert!(free.is_all_of(&slab));
        free.remove(&slab);
    }
    assert_eq!(free.take(16, 16), None);
}

#[test]
fn taken_ranges_never_overlap_and_freed_ranges_merge() {
    let mut free = free_ranges();
    let mut taken: Vec<Range<usize>> = Vec::new();
    let mut state = 1_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % end
    };
    for _ in 0..20_000 {
        if below(2) == 0 {
            let (n_bytes, align) = (rounded(below(0x400)), 1 << below(8));
            if let Some(address) = free.take(n_bytes, align) {
                let range = address..address + n_bytes;
                assert!(address.is_multiple_of(align) && range.end <= slab_of(address).end);
                assert!(taken.iter().all(|other| other.end <= range.start || range.end <= other.start));
                taken.push(range);
            }
        } else if !taken.is_empty() {
            let range = taken.swap_remove(below(taken.len()));
            free.put(range.start, range.len(), slab_of(range.start));
        }
    }
    for range in taken {
        free.put(range.start, range.len(), slab_of(range.start));
    }
    assert!(SLABS.iter().all(|slab| free.is_all_of(slab)));
    assert_eq!(free.by_size.len(), SLABS.len());
}
