//! The number of slabs, and the bytes in them.

use super::*;

fn n_slabs(memory: &CodeMemory) -> usize {
    memory.lock().slabs.len()
}

/// The bytes in a mapped slab.
fn bytes(start: usize, n_bytes: usize) -> Vec<u8> {
    // SAFETY: the tests pass parts of slabs that something else keeps mapped; no thread writes
    // there meanwhile.
    unsafe { std::slice::from_raw_parts(start as *const u8, n_bytes) }.to_vec()
}

#[test]
fn code_is_copied_and_overwritten_with_traps_when_freed() {
    let memory = CodeMemory::new();
    let _keeps = memory.allocate(&[0xc3], 16).unwrap();
    let block = memory.allocate(&[7; 9_001], 1).unwrap();
    let start = block.address().get();
    assert_eq!(bytes(start, 9_001), [7; 9_001]);
    assert_eq!(bytes(start + 9_001, 7), [TRAP_BYTE; 7]);
    drop(block);
    assert_eq!(bytes(start, 9_008), [TRAP_BYTE; 9_008]);
}

#[test]
fn ranges_are_reused_and_all_empty_slabs_but_one_are_unmapped() {
    let memory = CodeMemory::new();
    assert_eq!(n_slabs(&memory), 0);
    let mut most = 0;
    for _ in 0..3 {
        let blocks: Vec<_> =
            (0..5_000).map(|n| memory.allocate(&[0x90; 1_000][n % 500..], 32).unwrap()).collect();
        most = n_slabs(&memory).max(most);
        assert_eq!(n_slabs(&memory), 4);
        drop(blocks);
        assert_eq!(n_slabs(&memory), 1);
    }
    assert_eq!(most, 4);
}

#[test]
fn large_code_has_a_slab_of_its_own() {
    let memory = CodeMemory::new();
    let small = memory.allocate(&[1; 100], 16).unwrap();
    for align in [1, 64, PAGE_SIZE] {
        let large = memory.allocate(&vec![2; 3 * SLAB], align).unwrap();
        assert!(large.address().get().is_multiple_of(align));
        assert_eq!(n_slabs(&memory), 2);
        let end = memory.allocate(&[3; 100], 16).unwrap();
        assert_eq!(bytes(large.address().get(), 3 * SLAB), vec![2; 3 * SLAB]);
        drop((large, end));
    }
    drop(small);
    assert_eq!(n_slabs(&memory), 1);
}

#[test]
fn blocks_outlive_the_memory() {
    let block = CodeMemory::new().allocate(&[4; 100], 16).unwrap();
    assert_eq!(bytes(block.address().get(), 100), [4; 100]);
}

#[test]
fn handles_are_shared_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<CodeMemory>();
    is_shared::<CodeBlock>();
}

fn file_bytes(memory: &CodeMemory) -> usize {
    memory.lock().file.as_ref().map_or(0, |file| file.len() as usize)
}

#[test]
fn the_file_ends_where_the_code_ends() {
    let memory = CodeMemory::new();
    let small = memory.allocate(&[1; 100], 16).unwrap();
    assert_eq!(file_bytes(&memory), 112);
    let second = memory.allocate(&[1; 100], 16).unwrap();
    assert_eq!(file_bytes(&memory), 224);
    drop((small, second));
    assert_eq!(file_bytes(&memory), 224, "the slab is kept");
}

#[test]
fn parts_of_the_file_are_used_again() {
    let memory = CodeMemory::new();
    let kept = memory.allocate(&[1; 100], 16).unwrap();
    for n_bytes in [SLAB + 1, 2 * SLAB, 3 * SLAB, SLAB + 1] {
        for _ in 0..3 {
            let large = memory.allocate(&vec![1; n_bytes], 16).unwrap();
            let second = memory.allocate(&vec![1; n_bytes], 16).unwrap();
            assert!(file_bytes(&memory) <= SLAB + 2 * (n_bytes + PAGE_SIZE));
            drop(large);
            let third = memory.allocate(&vec![1; n_bytes], 16).unwrap();
            assert!(file_bytes(&memory) <= SLAB + 2 * (n_bytes + PAGE_SIZE));
            drop((second, third));
        }
        assert!(file_bytes(&memory) <= SLAB, "nothing but the first slab is left");
    }
    drop(kept);
}
