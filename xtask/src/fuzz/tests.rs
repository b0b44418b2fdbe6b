//! The options of `fuzz`, and which targets there are.

use super::{Options, targets};

#[test]
fn options_of_fuzz() {
    assert_eq!(Options::parse(&[]), Ok(Options { seconds: 60 }));
    assert_eq!(Options::parse(&["--seconds", "7"]), Ok(Options { seconds: 7 }));
    for wrong in [&["--seconds"][..], &["--seconds", "x"], &["parser"]] {
        assert!(Options::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn targets_are_files() {
    assert_eq!(targets(), Ok(["functions", "modes", "parser", "sessions"].map(String::from).to_vec()));
}
