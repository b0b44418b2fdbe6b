//! Sessions reach what they are for.

use super::{SETTINGS, Session, Tally, run};

#[test]
fn one_seed_one_session() {
    assert_eq!(Session::new(7), Session::new(7));
    assert_ne!(Session::new(7), Session::new(8));
}

#[test]
fn bytes_that_end_end_the_session() {
    assert_eq!(Session::from_bytes(&[]).steps, []);
    assert!(Session::from_bytes(&[6; 9]).steps.len() < 9);
}

/// Sessions that mostly fail would compare error messages and nothing else.
#[test]
fn many_items_work_and_many_do_not() {
    let mut sum = Tally::default();
    for seed in 0..30 {
        let tally = run(&Session::new(seed).steps).unwrap_or_else(|difference| panic!("{difference}"));
        sum.n_values += tally.n_values;
        sum.n_errors += tally.n_errors;
    }
    assert!(sum.n_values > 150, "{sum:?}");
    assert!(sum.n_errors > 100, "{sum:?}");
}

#[test]
fn every_mode_takes_part() {
    for mode in kaleidoscope::Mode::ALL {
        assert!(SETTINGS.iter().any(|setting| setting.mode == *mode), "{mode:?}");
    }
}
