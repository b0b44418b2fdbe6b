//! Random sessions: engines of all modes give the same results at every step.

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
fn fixed_seeds_agree() {
    check(0, 50);
}

#[test]
fn fresh_seeds_agree() {
    check(fresh_seed(), 20);
}
