//! Counters, as code and other threads write them.

use super::{Counter, Profile};
use crate::policy::{Thresholds, Trip};
use kaleidoscope_ir::compile::{CodeKind, Unit};
use kaleidoscope_ir::{Function, FunctionId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const THRESHOLDS: Thresholds = Thresholds { calls: 10_000, back_edges: 100_000, delay: Duration::ZERO };

fn profile(text: &str) -> Profile {
    let function: Function = text.parse().unwrap();
    let id = Some(FunctionId::new(0));
    let unit = Unit::new(Arc::new(function), id, 1, BTreeMap::new(), BTreeMap::new());
    Profile::counting(1, Arc::new(unit), THRESHOLDS)
}

/// What code of the function does that is called this often: counts down without atomic
/// instructions. Returns the number of trips.
fn enter(profile: &Profile, n_calls: i64) -> usize {
    let count = |_| {
        let left = profile.cells[0].load(Ordering::Relaxed) - 1;
        profile.cells[0].store(left, Ordering::Relaxed);
        left <= 0 && profile.on_report(Counter::Entry).is_some()
    };
    (0..n_calls).filter(|n| count(*n)).count()
}

/// Another thread resets the counter while code counts, and the code overwrites that.
#[test]
fn a_lost_reset_delays_the_next_trip_by_no_more_than_the_threshold() {
    let profile = profile("function f(x.0)\nget x.0");
    let threshold = profile.threshold(Counter::Entry);
    assert_eq!(enter(&profile, threshold), 1);
    assert!(profile.request_tier_up(CodeKind::Function));
    assert_eq!(enter(&profile, 10), 0);
    let read_before = profile.cells[0].load(Ordering::Relaxed);
    profile.reset_function();
    profile.cells[0].store(read_before - 1, Ordering::Relaxed);
    assert_eq!(enter(&profile, threshold), 1);
    assert!(profile.request_tier_up(CodeKind::Function));
}

const LOOP: &str = "function f(x.0), locals i.1\nnumber 0\nset i.1\ndrop\nloop\nget i.1\ndrop\n\
    number 1\nnumber 1\nnext i.1\nnumber 0";

/// Runs this many back edges of the loop. Returns the number of trips.
fn iterate(profile: &Profile, n_back_edges: i64) -> usize {
    let cells = profile.loop_cells(0);
    let count = |_| {
        let left = cells.counter.load(Ordering::Relaxed) - 1;
        cells.counter.store(left, Ordering::Relaxed);
        let trip = if left <= 0 { profile.on_report(Counter::Loop(0)) } else { None };
        trip.is_some_and(|trip| matches!(trip, Trip::Loop { .. }))
    };
    (0..n_back_edges).filter(|n| count(*n)).count()
}

#[test]
fn a_loop_that_lost_its_code_trips_after_few_back_edges() {
    let profile = profile(LOOP);
    let threshold = profile.threshold(Counter::Loop(0));
    assert!(threshold > 10_000, "{threshold}");
    assert_eq!(iterate(&profile, threshold - 1), 0);
    assert_eq!(iterate(&profile, 1), 1);
    profile.invalidate_loop(0);
    // Resets of other code's counters do not make it wait again.
    profile.reset_idle();
    assert!(iterate(&profile, 1_000) > 0);
    assert!(profile.request_tier_up(CodeKind::Osr(0)));
}
