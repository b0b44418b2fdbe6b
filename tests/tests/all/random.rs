//! Random programs: the same values, output and diagnostics in every mode; and the same values while several threads call,
//! functions are promoted, and others are defined again.
//!
//! `RANDOM_PROGRAMS`, `RANDOM_SECONDS` and `RANDOM_SEED` choose another run: `cargo xtask random` and
//! `./check random` set them.

use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kaleidoscope_tests::compare::check_seed;
use kaleidoscope_tests::promotion::Promotions;
use kaleidoscope_tests::random::fresh_seed;
use kaleidoscope_tests::run::Effect;

/// Why a lock can be taken: a thread that panicked has ended the test already.
const NO_PANIC: &str = "no thread panicked";

/// What the programs of a run gave, together.
#[derive(Default)]
struct Tally {
    n_values: usize,
    n_errors: usize,
    promotions: Promotions,
}

/// Compares the programs of the seeds from `first` on, on all processors, until the time is over if
/// there is a limit. Shows the first program that fails.
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
                        Ok((run, promotions)) => {
                            let mut tally = tally.lock().expect(NO_PANIC);
                            tally.promotions += promotions;
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
    let Tally { n_values, n_errors, promotions } = tally.into_inner().expect(NO_PANIC);
    let Promotions { n_hot, n_promoted, n_invalidated } = promotions;
    eprintln!("{n_programs} programs agree: {n_values} values, {n_errors} errors");
    eprintln!(
        "{n_promoted} of {n_hot} functions were promoted in mid-run, and code taken back {n_invalidated} times"
    );
    // One program may define nothing that is called.
    assert!(n_programs < 100 || (n_promoted > 0 && n_invalidated > 0));
}

/// Asked for by `cargo xtask random`; none otherwise.
fn asked(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no whole number: {value}")))
}

#[test]
fn the_same_every_time() {
    if asked("RANDOM_PROGRAMS").is_none() {
        check(0, 1000, None);
    }
}

#[test]
fn others_every_time() {
    let seconds = asked("RANDOM_SECONDS").map(Duration::from_secs);
    let n_programs = asked("RANDOM_PROGRAMS").unwrap_or(if seconds.is_some() { u64::MAX } else { 200 });
    check(asked("RANDOM_SEED").unwrap_or_else(fresh_seed), n_programs, seconds);
}
