//! The lines of the tables.

use std::time::Duration;

use super::{Row, Verdict, list, results};
use crate::check::parts::PARTS;

#[test]
fn results_say_why_and_how_many() {
    let row = |step, verdict| Row { part: "core", step, verdict, time: Duration::from_millis(1500) };
    let rows = [
        row("format", Verdict::Passed),
        row("tests", Verdict::Failed("exit status: 101".to_owned())),
        row("", Verdict::Skipped("valgrind is missing".to_owned())),
    ];
    let text = results(&rows, Duration::from_secs(61));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "core  format  ok          1.5 s");
    assert_eq!(lines[1], "core  tests   FAILED      1.5 s  exit status: 101");
    assert_eq!(lines[2], "core          skipped     1.5 s  valgrind is missing");
    assert_eq!(lines[3..], ["total 61.0 s", "1 passed, 1 failed, 1 skipped"]);
}

#[test]
fn every_part_is_listed() {
    let text = list(PARTS);
    for part in PARTS {
        assert!(text.lines().any(|line| line.starts_with(part.name)), "{} is missing in:\n{text}", part.name);
    }
}
