//! Random sessions: an engine of each mode, side by side, sees the same at every step.

use kaleidoscope_tests::random::fresh_seed;
use kaleidoscope_tests::session::Session;

/// Checks the sessions of the seeds from `first` on.
fn check(first: u64, n_sessions: u64) {
    for seed in (first..).take(usize::try_from(n_sessions).expect("a small number")) {
        if let Err(report) = Session::new(seed).check() {
            panic!("seed {seed}: {report}");
        }
    }
}

#[test]
fn the_same_every_time() {
    check(0, 50);
}

#[test]
fn others_every_time() {
    check(fresh_seed(), 20);
}
