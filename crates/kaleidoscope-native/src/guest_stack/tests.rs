//! The bounds of a stack, and which of its pages are in memory.

use super::*;

/// How many of the pages from `start` to `end` are in memory.
fn n_resident(start: usize, end: usize) -> usize {
    let mut pages = vec![0_u8; (end - start) / PAGE_SIZE];
    // SAFETY: the vector has a byte for each page.
    let answer = unsafe { libc::mincore(start as *mut _, end - start, pages.as_mut_ptr()) };
    assert_eq!(answer, 0);
    pages.iter().filter(|&&page| page & 1 != 0).count()
}

fn touch(stack: &GuestStack, depth: usize) {
    for page in (PAGE_SIZE..=depth).step_by(PAGE_SIZE) {
        // SAFETY: the tests pass depths inside the stack.
        unsafe { ((stack.high() - page) as *mut [u8; PAGE_SIZE]).write([1; PAGE_SIZE]) };
    }
}

#[test]
fn only_deep_use_releases_pages() {
    let stack = GuestStack::map(rounded(64 << 20)).unwrap();
    touch(&stack, KEPT_BYTES - PAGE_SIZE);
    // SAFETY: no code runs on the stack.
    assert!(!unsafe { stack.was_used_deeply() });
    for _ in 0..3 {
        touch(&stack, 16 << 20);
        // SAFETY: as above.
        assert!(unsafe { stack.was_used_deeply() });
        // SAFETY: as above.
        unsafe { stack.release_pages(stack.high()) };
        assert_eq!(n_resident(stack.low(), stack.high()), KEPT_BYTES / PAGE_SIZE);
        // SAFETY: as above.
        assert!(!unsafe { stack.was_used_deeply() });
    }
}

#[test]
fn pages_of_frames_above_are_kept() {
    let stack = GuestStack::map(rounded(8 << 20)).unwrap();
    touch(&stack, 8 << 20);
    let top = stack.high() - (2 << 20) + 100;
    // SAFETY: no code runs on the stack.
    unsafe { stack.release_pages(top) };
    assert_eq!(n_resident(stack.low(), stack.high()), (2 << 20) / PAGE_SIZE);
    // SAFETY: as above.
    assert!(unsafe { stack.was_used_deeply() }, "the outermost call releases the pages later");
}

#[test]
fn any_size_is_rounded_to_a_usable_one() {
    assert_eq!(rounded(0), MIN_BYTES);
    assert_eq!(rounded(MIN_BYTES + 1), MIN_BYTES + PAGE_SIZE);
    let stack = GuestStack::map(rounded(1)).unwrap();
    assert!(stack.contains(stack.high()) && stack.contains(stack.low()) && !stack.contains(stack.high() + 1));
    assert!(stack.guard_contains(stack.low() - 1) && !stack.guard_contains(stack.low()));
    assert!(GuestStack::map(rounded(usize::MAX)).is_err());
}

#[test]
fn a_smaller_stack_is_mapped_where_the_system_refuses_the_size() {
    let huge = 1 << 60;
    let stack = GuestStack::map_at_least(MIN_BYTES, huge).unwrap();
    assert!(stack.is_for(huge) && !stack.is_for(MIN_BYTES));
    assert!(stack.high() - stack.low() < huge);
    touch(&stack, 2 * PAGE_SIZE);
    let refused = GuestStack::map_at_least(huge, huge).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "cannot map a stack for generated code: the system refuses 1099511627776 MiB of address space"
    );
}
