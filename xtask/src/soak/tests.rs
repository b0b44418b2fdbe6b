//! The options of a soak.

use super::Options;

#[test]
fn options() {
    let options = Options::parse(&["--rounds", "3", "--seed", "7", "--only", "cli", "--record", "--fuzz"]);
    let expected = Options {
        n_rounds: 3,
        minutes: 40,
        seed: Some(7),
        only: "cli".to_owned(),
        records: true,
        fuzzes: true,
    };
    assert_eq!(options, Ok(expected));
    for wrong in [&["--rounds"][..], &["--rounds", "many"], &["--quickly", "1"]] {
        assert!(Options::parse(wrong).is_err(), "{wrong:?}");
    }
}
