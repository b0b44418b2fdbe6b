//! Each round has every test once, in another order.

use std::path::PathBuf;

use super::{Binary, GROUP, Plan, Random, TestGroup};

fn binary(name: &str, n_tests: usize) -> Binary {
    let tests = (0..n_tests).map(|n| format!("{name}{n}")).collect();
    Binary { name: name.to_owned(), executable: PathBuf::new(), folder: PathBuf::new(), tests }
}

#[test]
fn a_seed_gives_the_same_order_again() {
    let order = |seed| {
        let mut numbers: Vec<u32> = (0..100).collect();
        Random(seed).shuffle(&mut numbers);
        numbers
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
    let mut sorted = order(3);
    sorted.sort_unstable();
    assert_eq!(sorted, (0..100).collect::<Vec<_>>());
}

#[test]
fn every_round_has_every_test_once() {
    let binaries = [binary("a", 3 * GROUP), binary("b", 2)];
    let mut plan = Plan::new(&binaries, 2, Random(1));
    let groups: Vec<TestGroup<'_>> = std::iter::from_fn(|| plan.next()).collect();
    let tests = |round| -> Vec<&str> {
        let of_round = groups.iter().filter(|group| group.round == round);
        of_round.flat_map(|group| group.tests.iter().copied()).collect()
    };
    assert_ne!(tests(0), tests(1));
    let mut expected: Vec<_> = binaries.iter().flat_map(|binary| &binary.tests).collect();
    expected.sort();
    for round in 0..2 {
        let mut tests = tests(round);
        tests.sort_unstable();
        assert_eq!(tests, expected);
    }
}

#[test]
fn a_round_ends_with_its_last_group() {
    let binaries = [binary("a", 2 * GROUP)];
    let mut plan = Plan::new(&binaries, 2, Random(1));
    let rounds: Vec<usize> = std::iter::from_fn(|| plan.next()).map(|group| group.round).collect();
    assert_eq!(rounds, [0, 0, 1, 1]);
    // Groups of two rounds run at once.
    assert_eq!([0, 1, 0].map(|round| plan.ended(round)), [false, false, true]);
    assert_eq!(plan.n_rounds_ended(), 1);
}
