//! Options, order and table of a soak.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Options, Random, Tally, table};

#[test]
fn options() {
    let options = Options::parse(&["--rounds", "3", "--seed", "7", "--only", "cli", "--record"]);
    let expected = Options { n_rounds: 3, minutes: 45, seed: Some(7), only: "cli".to_owned(), records: true };
    assert_eq!(options, Ok(expected));
    for wrong in [&["--rounds"][..], &["--rounds", "many"], &["--quickly", "1"]] {
        assert!(Options::parse(wrong).is_err(), "{wrong:?}");
    }
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
fn the_table_names_slowest_tests_and_failures() {
    let slowest = Some(("deep".to_owned(), Duration::from_millis(61_500)));
    let failures = vec!["deep took 61.5 s".to_owned()];
    let tallies = BTreeMap::from([("cli: cli", Tally { n_tests: 2, n_runs: 40, slowest, failures })]);
    let text = table(&tallies);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[1], "cli: cli      2      40         1   61.5 s  deep");
    assert_eq!(lines[2], "    deep took 61.5 s");
}
