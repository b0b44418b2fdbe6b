//! A stack's bounds, and what of it costs memory.

use super::*;

/// How many of the pages from `start` to `end` are in memory.
fn n_resident(start: usize, end: usize) -> usize {
    let mut pages = vec![0_u8; (end - start) / PAGE_SIZE];
    // SAFETY: the vector has a byte for each page.
    let answer = unsafe { libc::mincore(start as *mut _, end - start, pages.as_mut_ptr()) };
    assert_eq!(answer, 0);
    pages.iter().filter(|&&page| page & 1 != 0).count()
}

fn touch(stack: &Stack, depth: usize) {
    for page in (PAGE_SIZE..=depth).step_by(PAGE_SIZE) {
        // SAFETY: the tests pass depths inside the stack.
        unsafe { ((stack.high() - page) as *mut [u8; PAGE_SIZE]).write([1; PAGE_SIZE]) };
    }
}

#[test]
fn only_deep_use_is_given_back() {
    let stack = Stack::map(rounded(64 << 20)).unwrap();
    touch(&stack, KEPT - PAGE_SIZE);
    // SAFETY: nothing runs on the stack.
    assert!(!unsafe { stack.was_deep() });
    for _ in 0..3 {
        touch(&stack, 16 << 20);
        // SAFETY: as above.
        assert!(unsafe { stack.was_deep() });
        // SAFETY: as above.
        unsafe { stack.give_back(stack.high()) };
        assert_eq!(n_resident(stack.low(), stack.high()), KEPT / PAGE_SIZE);
        // SAFETY: as above.
        assert!(!unsafe { stack.was_deep() });
    }
}

#[test]
fn frames_above_keep_what_they_have() {
    let stack = Stack::map(rounded(8 << 20)).unwrap();
    touch(&stack, 8 << 20);
    let top = stack.high() - (2 << 20) + 100;
    // SAFETY: nothing runs on the stack.
    unsafe { stack.give_back(top) };
    assert_eq!(n_resident(stack.low(), stack.high()), (2 << 20) / PAGE_SIZE);
    // SAFETY: as above.
    assert!(unsafe { stack.was_deep() }, "whoever has the frames above gives them back later");
}

#[test]
fn any_size_is_rounded_to_one_that_works() {
    assert_eq!(rounded(0), SMALLEST);
    assert_eq!(rounded(SMALLEST + 1), SMALLEST + PAGE_SIZE);
    let stack = Stack::map(rounded(1)).unwrap();
    assert!(stack.holds(stack.high()) && stack.holds(stack.low()) && !stack.holds(stack.high() + 1));
    assert!(stack.guards(stack.low() - 1) && !stack.guards(stack.low()));
    assert!(Stack::map(rounded(usize::MAX)).is_err());
}
