//! Advice by counter values.

use super::{
    Advice, KernelAdvice, Recovery, Thresholds, Trip, advise, advise_kernel, explains,
    justifies_column_program, min_rows_for_columns, scaled,
};
use crate::mode::Mode;
use std::time::{Duration, Instant};

#[test]
fn a_function_that_is_called_often_tiers_up() {
    assert_eq!(advise(Trip::Entry, true), Some(Advice::Function));
}

#[test]
fn only_a_long_loop_needs_osr() {
    let short = |n_before| Trip::Loop { n_before, n_back_edges: 6_400, n_entries: 100 };
    assert_eq!(advise(short(0), true), Some(Advice::Function));
    assert_eq!(advise(short(1), true), Some(Advice::Loop));
    let long = Trip::Loop { n_before: 0, n_back_edges: 6_400, n_entries: 99 };
    assert_eq!(advise(long, true), Some(Advice::Loop));
}

/// That of an expression, or of a version that was superseded.
#[test]
fn a_loop_that_no_call_reaches_needs_osr() {
    let short = Trip::Loop { n_before: 0, n_back_edges: 100, n_entries: 100 };
    assert_eq!(advise(short, false), Some(Advice::Loop));
}

/// Tail calls of a version that was superseded are not called through a slot.
#[test]
fn entries_that_no_call_makes_optimize_nothing() {
    assert_eq!(advise(Trip::Entry, false), None);
}

#[test]
fn rows_wait_for_a_kernel_where_calls_wait_for_code() {
    let advise = |mode, n_rows, has_program| advise_kernel(mode, n_rows, Thresholds::default(), has_program);
    for mode in [Mode::Lazy, Mode::Eager] {
        assert_eq!(advise(mode, 999, false), KernelAdvice::NotNow);
        assert_eq!(advise(mode, 1_000, false), KernelAdvice::Wait);
        assert_eq!(advise(mode, 999, true), KernelAdvice::NotNow);
        assert_eq!(advise(mode, 1_000, true), KernelAdvice::InBackground, "columns do not wait");
    }
}

#[test]
fn many_rows_get_a_kernel_in_the_background() {
    let thresholds = Thresholds { calls: 5_000, back_edges: 1, delay: Duration::ZERO };
    for has_program in [false, true] {
        let advise = |n_rows| advise_kernel(Mode::Tiered, n_rows, thresholds, has_program);
        assert_eq!(advise(4_999), KernelAdvice::NotNow);
        assert_eq!(advise(5_000), KernelAdvice::InBackground);
    }
}

#[test]
fn modes_without_an_optimizing_tier_have_no_kernels() {
    let thresholds = Thresholds { calls: 1, back_edges: 1, delay: Duration::ZERO };
    for mode in [Mode::Baseline, Mode::Off] {
        assert_eq!(advise_kernel(mode, u64::MAX, thresholds, false), KernelAdvice::NotNow);
    }
}

#[test]
fn a_function_is_lowered_once_that_pays() {
    let n_rows = min_rows_for_columns(5);
    assert!(justifies_column_program(10, n_rows, n_rows as u64, true));
    assert!(!justifies_column_program(10, n_rows - 1, u64::MAX, true), "calls are faster");
    assert!(!justifies_column_program(10, n_rows, 319, false), "calls need nothing");
    assert!(justifies_column_program(10, n_rows, 320, false));
}

#[test]
fn larger_code_tiers_up_after_fewer_executions() {
    let thresholds = Thresholds { calls: 1_000, back_edges: 3_000, delay: Duration::ZERO };
    assert_eq!([4, 16, 64].map(|n_ops| scaled(thresholds.calls, n_ops)), [4_000, 1_000, 250]);
    assert_eq!([0, 16, 1_000_000].map(|n_ops| thresholds.back_edges_of(n_ops)), [48_000, 3_000, 1]);
}

#[test]
fn a_caller_that_runs_often_enough_explains_the_count() {
    assert!(explains(10, 640));
    assert!(!explains(10, 641));
    assert!(!explains(0, 0), "it did not run since its counter was reset");
    assert!(!explains(-5, 0), "its counter was set beyond its threshold");
}

/// The back edges that a loop runs until it recovers, if an iteration takes this long.
fn back_edges_to_recover(threshold: u32, iteration: Duration) -> u32 {
    let mut recovery = Recovery::new(threshold);
    let mut now = Instant::now();
    for nth in 1..=10_000 {
        now += iteration;
        if recovery.count(1, || now) {
            assert!(recovery.count(1, || unreachable!("it stays due")));
            return nth;
        }
    }
    unreachable!("it recovers")
}

#[test]
fn a_loop_recovers_after_a_thousand_back_edges_or_a_millisecond() {
    let nanos = Duration::from_nanos;
    assert_eq!(back_edges_to_recover(600_000, nanos(10)), 1_000);
    assert_eq!(back_edges_to_recover(600_000, nanos(10_000)), 128);
    assert_eq!(back_edges_to_recover(600_000, nanos(700_000)), 4);
    assert_eq!(back_edges_to_recover(600_000, nanos(1_000_000_000)), 2);
    assert_eq!(back_edges_to_recover(10, nanos(10)), 10);
    assert_eq!(back_edges_to_recover(0, nanos(10)), 1);
}

/// Machine code counts down to the next check, the interpreter counts one by one.
#[test]
fn both_ways_to_count_recover_at_once() {
    for iteration in [10, 5_000, 90_000, 3_000_000].map(Duration::from_nanos) {
        let mut recovery = Recovery::new(600_000);
        let mut now = Instant::now();
        let mut n_back_edges = 0;
        loop {
            let n = recovery.until_check();
            n_back_edges += n;
            now += iteration * n;
            if recovery.count(n, || now) {
                break;
            }
        }
        assert_eq!(n_back_edges, back_edges_to_recover(600_000, iteration));
    }
}
