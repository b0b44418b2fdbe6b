//! Random programs: all modes give the same values, output and diagnostics.
//!
//! The values also stay the same while several threads call functions, and functions tier up and
//! are redefined, and when definitions change in the middle of a run.
//!
//! `RANDOM_PROGRAMS`, `RANDOM_SECONDS` and `RANDOM_SEED` choose the programs: `cargo xtask random`
//! and `./check random` set them.

use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kaleidoscope_tests::changing::check_changing_seed;
use kaleidoscope_tests::compare::check_seed;
use kaleidoscope_tests::random::fresh_seed;
use kaleidoscope_tests::run::Effect;
use kaleidoscope_tests::tier_up::TierUps;

/// Why locks are not poisoned: a panic ends the test.
const NO_PANIC: &str = "no thread panicked";

/// Programs that are changed while they run get this part of the time limit.
const CHANGES_PART: u64 = 4;

/// Totals over all programs of a run.
#[derive(Default)]
struct Tally {
    n_values: usize,
    n_errors: usize,
    tier_ups: TierUps,
}

/// Checks the seeds from `first` on, on all processors, until the time limit if there is one.
/// Panics with the report of the first that fails. Returns how many were checked.
fn check_seeds(
    first: u64,
    n_programs: u64,
    limit: Option<Duration>,
    check: impl Fn(u64) -> Result<(), String> + Sync,
) -> u64 {
    eprintln!("random programs from seed {first}");
    let began = Instant::now();
    let is_late = || limit.is_some_and(|limit| began.elapsed() >= limit);
    let (next, n_checked) = (AtomicU64::new(0), AtomicU64::new(0));
    let failure = Mutex::new(None);
    let n_threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                while failure.lock().expect(NO_PANIC).is_none() {
                    let idx = next.fetch_add(1, Ordering::Relaxed);
                    if idx >= n_programs || is_late() {
                        break;
                    }
                    n_checked.fetch_add(1, Ordering::Relaxed);
                    if let Err(report) = check(first.wrapping_add(idx)) {
                        *failure.lock().expect(NO_PANIC) = Some(report);
                    }
                }
            });
        }
    });
    if let Some(report) = failure.into_inner().expect(NO_PANIC) {
        panic!("{report}");
    }
    n_checked.into_inner()
}

/// Checks the programs of the seeds from `first` on.
fn check(first: u64, n_programs: u64, limit: Option<Duration>) {
    let tally = Mutex::new(Tally::default());
    let n_programs = check_seeds(first, n_programs, limit, |seed| {
        let (run, tier_ups) = check_seed(seed)?;
        let mut tally = tally.lock().expect(NO_PANIC);
        tally.tier_ups += tier_ups;
        for (effect, _) in run.items.iter().flat_map(|item| &item.effects) {
            match effect {
                Effect::Value(_) => tally.n_values += 1,
                Effect::Error(_) => tally.n_errors += 1,
                Effect::Warning(_) => {}
            }
        }
        Ok(())
    });
    let Tally { n_values, n_errors, tier_ups } = tally.into_inner().expect(NO_PANIC);
    let TierUps { n_hot, n_optimized, n_invalidated } = tier_ups;
    eprintln!("{n_programs} programs agree: {n_values} values, {n_errors} errors");
    eprintln!(
        "{n_optimized} of {n_hot} hot functions tiered up while running; {n_invalidated} invalidations"
    );
    // A single program may call no function.
    assert!(n_programs < 100 || (n_optimized > 0 && n_invalidated > 0));
}

/// Checks the programs of the seeds from `first` on that are changed while they run.
fn check_changes(first: u64, n_programs: u64, limit: Option<Duration>) {
    let n_left = AtomicUsize::new(0);
    let n_programs = check_seeds(first, n_programs, limit, |seed| {
        n_left.fetch_add(check_changing_seed(seed)?, Ordering::Relaxed);
        Ok(())
    });
    let n_left = n_left.into_inner();
    eprintln!("{n_programs} programs agree that are changed while they run");
    eprintln!("code was left {n_left} times because of a change");
    // A single program may change nothing that was inlined.
    assert!(n_programs < 100 || n_left > 0);
}

/// Reads a number that `cargo xtask random` sets.
fn option(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is not a whole number: {value}")))
}

#[test]
fn fixed_seeds_agree() {
    if option("RANDOM_PROGRAMS").is_none() {
        check(0, 300, None);
    }
}

#[test]
fn fresh_seeds_agree() {
    let seconds = option("RANDOM_SECONDS").map(Duration::from_secs);
    let n_programs = option("RANDOM_PROGRAMS").unwrap_or(if seconds.is_some() { u64::MAX } else { 100 });
    check(option("RANDOM_SEED").unwrap_or_else(fresh_seed), n_programs, seconds);
}

#[test]
fn fixed_seeds_agree_when_they_are_changed() {
    if option("RANDOM_PROGRAMS").is_none() {
        check_changes(0, 15, None);
    }
}

#[test]
fn fresh_seeds_agree_when_they_are_changed() {
    let seconds = option("RANDOM_SECONDS").map(|seconds| Duration::from_secs(seconds / CHANGES_PART));
    let n_programs = option("RANDOM_PROGRAMS").unwrap_or(if seconds.is_some() { u64::MAX } else { 15 });
    check_changes(option("RANDOM_SEED").unwrap_or_else(fresh_seed), n_programs, seconds);
}
