//! What the results of a soak say.

use std::path::PathBuf;
use std::time::Duration;

use super::super::binary::Binary;
use super::{Outcome, Tally, TestGroup};

#[test]
fn failures_and_slowest_tests_are_named() {
    let binary = Binary {
        name: "cli: cli".to_owned(),
        executable: PathBuf::new(),
        folder: PathBuf::new(),
        tests: vec!["deep".to_owned(), "short".to_owned()],
    };
    let mut tally = Tally::default();
    for (round, seconds) in [(0, 3.0), (1, 61.5), (2, 2.0)] {
        let group = TestGroup { round, binary: &binary, tests: vec!["deep", "short"], n_threads: 8 };
        let times = [("deep", seconds), ("short", 1.0)];
        let times = times.map(|(test, seconds)| (test.to_owned(), Duration::from_secs_f64(seconds)));
        let failure = (round == 2).then(|| "exit status: 101: short\noutput".to_owned());
        tally.add(&group, Outcome { times: times.into(), failure });
    }
    let table = tally.table();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[1], "cli: cli      2       6         2");
    assert_eq!(lines[2], "    deep took 61.5 s (round 2, 8 threads)");
    assert_eq!(lines[3], "    exit status: 101: short (round 3, 8 threads)");
    assert_eq!(tally.slowest(1), " 61.5 s  cli: cli: deep\n");
    assert_eq!((tally.n_runs(), tally.n_failures(), tally.longest()), (6, 2, Some(("deep", 61.5))));
}
