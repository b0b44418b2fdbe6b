//! Ratios of given times.

use super::{Row, markdown};
use crate::compare::work::{Clock, WORKS};
use crate::process::Cost;
use std::time::Duration;

/// Ours takes twice as long as `other` by wall clock, and half as long by processor time. `absent`
/// cannot do the work.
fn row() -> Row {
    let mut row = Row::new(&WORKS[0], ["ours", "other", "absent"].into_iter());
    let millis = Duration::from_millis;
    for round in 1..=3 {
        row.add(0, Cost { wall: millis(round * 20), processor: millis(round * 10) });
        row.add(1, Cost { wall: millis(round * 10), processor: millis(round * 20) });
    }
    row
}

#[test]
fn ratios_are_ours_over_theirs_in_the_same_round() {
    let row = row();
    assert_eq!(row.ratio(1, Clock::Wall), Some([2.0; 3]));
    assert_eq!(row.ratio(1, Clock::Processor), Some([0.5; 3]));
    assert_eq!(row.ratio(2, Clock::Wall), None);
    assert_eq!(row.lines().len(), 2);
}

#[test]
fn the_board_has_the_clock_that_counts_and_a_dash_where_nothing_was_measured() {
    assert_eq!(WORKS[0].clock, Clock::Wall);
    let table = markdown(&[row()]);
    assert!(table.starts_with("| | ours, ms | other | absent |\n|---|---|---|---|\n"), "{table}");
    assert!(table.ends_with("| 40.000 | **2.00** (2.00–2.00) | – |\n"), "{table}");
}
