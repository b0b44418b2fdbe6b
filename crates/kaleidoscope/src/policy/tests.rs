//! What is advised when.

use super::{Advice, RowsAdvice, Thresholds, Trip, advise, advise_rows, makes_hot};
use crate::Mode;
use std::time::Duration;

#[test]
fn a_function_that_is_called_often_is_made_better() {
    assert_eq!(advise(Trip::Entry, true), Advice::Function);
}

#[test]
fn a_loop_is_left_while_it_runs_only_when_it_goes_on() {
    let short = |n_before| Trip::Loop { n_before, n_turns: 6_400, n_entries: 100 };
    assert_eq!(advise(short(0), true), Advice::Function);
    assert_eq!(advise(short(1), true), Advice::Loop);
    assert_eq!(advise(Trip::Loop { n_before: 0, n_turns: 6_400, n_entries: 99 }, true), Advice::Loop);
}

#[test]
fn an_expression_is_never_called_again() {
    let short = Trip::Loop { n_before: 0, n_turns: 100, n_entries: 100 };
    assert_eq!(advise(short, false), Advice::Loop);
}

#[test]
fn rows_wait_for_code_where_calls_would() {
    let thresholds = Thresholds::default();
    for mode in [Mode::Lazy, Mode::Eager] {
        assert_eq!(advise_rows(mode, 999, thresholds), RowsAdvice::Calls);
        assert_eq!(advise_rows(mode, 1_000, thresholds), RowsAdvice::AtOnce);
    }
}

#[test]
fn many_rows_are_made_better_in_the_background_like_many_calls() {
    let thresholds = Thresholds { calls: 5_000, turns: 1, delay: Duration::ZERO };
    assert_eq!(advise_rows(Mode::Tiered, 4_999, thresholds), RowsAdvice::Calls);
    assert_eq!(advise_rows(Mode::Tiered, 5_000, thresholds), RowsAdvice::InBackground);
}

#[test]
fn modes_without_good_code_make_none_for_rows() {
    for mode in [Mode::Baseline, Mode::Off] {
        assert_eq!(
            advise_rows(mode, u64::MAX, Thresholds { calls: 1, turns: 1, delay: Duration::ZERO }),
            RowsAdvice::Calls
        );
    }
}

#[test]
fn what_has_more_operations_is_made_better_after_fewer_times() {
    let thresholds = Thresholds { calls: 1_000, turns: 3_000, delay: Duration::ZERO };
    assert_eq!([4, 16, 64].map(|n_ops| thresholds.calls(n_ops)), [4_000, 1_000, 250]);
    assert_eq!([0, 16, 1_000_000].map(|n_ops| thresholds.turns(n_ops)), [48_000, 3_000, 1]);
}

#[test]
fn a_caller_that_runs_often_enough_makes_hot() {
    assert!(makes_hot(10, 640));
    assert!(!makes_hot(10, 641));
    assert!(!makes_hot(0, 0), "it has not run since it began to count");
    assert!(!makes_hot(-5, 0), "nor has this, whose countdown has been set beyond its start");
}
