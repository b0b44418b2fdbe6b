//! Stacks that run full, and work on a spare stack.

use super::*;

#[test]
fn a_spare_stack_runs_returns_and_panics() {
    let mut stack = SpareStack::new(256 << 10).unwrap();
    let caller = stack_pointer();
    assert!(host_stack_left().is_some());
    let text = "borrowed".to_owned();
    for _ in 0..3 {
        let (inside, n) = stack.run(|| (stack_pointer(), text.len()));
        assert!(inside.abs_diff(caller) > 1 << 16 && n == text.len());
        assert_eq!(stack.run(host_stack_left), None);
        let panicked = catch_unwind(AssertUnwindSafe(|| stack.run(|| panic!("inside"))));
        assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"inside"));
    }
}

#[test]
fn a_stack_is_full_when_the_reserve_is_used() {
    fn fill(n_left: &mut Vec<usize>) {
        n_left.push(host_stack_left().unwrap());
        if !is_host_stack_full() {
            let frame = [n_left.len(); 128];
            fill(n_left);
            std::hint::black_box(frame);
        }
    }
    for (stack_bytes, reserve) in [(128 << 10, MIN_RESERVE), (2 << 20, MAX_RESERVE)] {
        let body = || {
            let mut n_left = Vec::new();
            fill(&mut n_left);
            n_left
        };
        let n_left = thread::Builder::new().stack_size(stack_bytes).spawn(body).unwrap().join().unwrap();
        let last = n_left.last().unwrap();
        assert!((reserve / 2..reserve + 4096).contains(last), "{last} bytes of {stack_bytes} were left");
        assert!(n_left.len() > 10);
    }
}
