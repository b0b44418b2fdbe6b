//! Sessions reach the situations that they are made for.

use super::{Session, TESTED, Tally};

#[test]
fn a_seed_determines_the_session() {
    assert_eq!(Session::new(7), Session::new(7));
    assert_ne!(Session::new(7), Session::new(8));
}

#[test]
fn a_session_ends_with_its_bytes() {
    assert_eq!(Session::from_bytes(&[]).steps, []);
    assert!(Session::from_bytes(&[6; 9]).steps.len() < 9);
}

/// Sessions that mostly fail would only compare error messages.
#[test]
fn many_items_work_and_many_fail() {
    let mut sum = Tally::default();
    for seed in 0..60 {
        let session = Session::new(seed);
        // One engine is enough to count the kinds of results.
        let session = Session { tested: TESTED[..1].to_vec(), ..session };
        let tally = session.run(&session.steps).unwrap_or_else(|difference| panic!("{difference}"));
        sum.n_values += tally.n_values;
        sum.n_errors += tally.n_errors;
        sum.n_overflows += tally.n_overflows;
        sum.n_interrupted += tally.n_interrupted;
        sum.n_timed_out += tally.n_timed_out;
        sum.n_host_errors += tally.n_host_errors;
        sum.n_nested += tally.n_nested;
        sum.n_races += tally.n_races;
    }
    assert!(sum.n_values > 150, "{sum:?}");
    assert!(sum.n_errors > 100, "{sum:?}");
    assert!(sum.n_overflows > 0, "{sum:?}");
    assert!(sum.n_interrupted > 0, "{sum:?}");
    assert!(sum.n_timed_out > 0, "{sum:?}");
    assert!(sum.n_host_errors > 0, "{sum:?}");
    assert!(sum.n_nested > 0, "{sum:?}");
    assert!(sum.n_races > 0, "{sum:?}");
}

#[test]
fn every_mode_is_tested() {
    for mode in kaleidoscope::Mode::ALL {
        assert!(TESTED.iter().any(|setting| setting.mode == *mode), "{mode:?}");
    }
}
