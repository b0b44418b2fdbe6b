//! Random programs: all modes give the same values, output and diagnostics.
//!
//! The values also stay the same while several threads call functions, and functions tier up and
//! are redefined. `RANDOM_PROGRAMS`, `RANDOM_SECONDS` and `RANDOM_SEED` choose the programs:
//! `cargo xtask random` and `./check random` set them.

use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kaleidoscope_tests::compare::check_seed;
use kaleidoscope_tests::random::fresh_seed;
use kaleidoscope_tests::run::Effect;
use kaleidoscope_tests::tier_up::TierUps;

/// Why locks are not poisoned: a panic ends the test.
const NO_PANIC: &str = "no thread panicked";

/// Totals over all programs of a run.
#[derive(Default)]
struct Tally {
    n_values: usize,
    n_errors: usize,
    tier_ups: TierUps,
}

/// Checks the programs of the seeds from `first` on, on all processors, until the time limit if
/// there is one. Reports the first program that fails.
fn check(first: u64, n_programs: u64, limit: Option<Duration>) {
    eprintln!("random programs from seed {first}");
    let began = Instant::now();
    let is_late = || limit.is_some_and(|limit| began.elapsed() >= limit);
    let (next, n_checked) = (AtomicU64::new(0), AtomicU64::new(0));
    let tally = Mutex::new(Tally::default());
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
                    match check_seed(first.wrapping_add(idx)) {
                        Ok((run, tier_ups)) => {
                            let mut tally = tally.lock().expect(NO_PANIC);
                            tally.tier_ups += tier_ups;
                            for (effect, _) in run.items.iter().flat_map(|item| &item.effects) {
                                match effect {
                                    Effect::Value(_) => tally.n_values += 1,
                                    Effect::Error(_) => tally.n_errors += 1,
                                    Effect::Warning(_) => {}
                                }
                            }
                        }
                        Err(report) => *failure.lock().expect(NO_PANIC) = Some(report),
                    }
                }
            });
        }
    });
    if let Some(report) = failure.into_inner().expect(NO_PANIC) {
        panic!("{report}");
    }
    let n_programs = n_checked.into_inner();
    let Tally { n_values, n_errors, tier_ups } = tally.into_inner().expect(NO_PANIC);
    let TierUps { n_hot, n_optimized, n_invalidated } = tier_ups;
    eprintln!("{n_programs} programs agree: {n_values} values, {n_errors} errors");
    eprintln!(
        "{n_optimized} of {n_hot} hot functions tiered up while running; {n_invalidated} invalidations"
    );
    // A single program may call no function.
    assert!(n_programs < 100 || (n_optimized > 0 && n_invalidated > 0));
}

/// Reads a number that `cargo xtask random` sets.
fn option(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is not a whole number: {value}")))
}

#[test]
fn fixed_seeds_agree() {
    if option("RANDOM_PROGRAMS").is_none() {
        check(0, 1000, None);
    }
}

#[test]
fn fresh_seeds_agree() {
    let seconds = option("RANDOM_SECONDS").map(Duration::from_secs);
    let n_programs = option("RANDOM_PROGRAMS").unwrap_or(if seconds.is_some() { u64::MAX } else { 200 });
    check(option("RANDOM_SEED").unwrap_or_else(fresh_seed), n_programs, seconds);
}
