//! The options of `random`.

use super::RandomOptions;

#[test]
fn options_of_random() {
    let parsed = |arguments: &[&str]| RandomOptions::parse(arguments);
    assert_eq!(parsed(&[]), Ok(RandomOptions { programs: 1000, seed: None }));
    assert_eq!(
        parsed(&["--seed", "7", "--programs", "10"]),
        Ok(RandomOptions { programs: 10, seed: Some(7) })
    );
    for wrong in [&["--seed"][..], &["--seed", "x"], &["--programs", "-1"], &["--colour", "3"]] {
        assert!(parsed(wrong).is_err(), "{wrong:?}");
    }
}
