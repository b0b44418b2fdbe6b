//! Signs and the table of the built-in operators.

use super::{Operators, Sign};

#[test]
fn signs() {
    for text in ["!", "+", "--", "_", "\\^", "||", ".."] {
        assert_eq!(Sign::new(text).expect("a sign").as_str(), text);
    }
    for text in ["", "+++", "a", "#", "(", "é", "+a", ";"] {
        assert_eq!(Sign::new(text), None, "{text}");
    }
}

#[test]
fn every_sign_has_its_own_index() {
    let characters = super::CHARACTERS.map(char::from);
    let mut signs: Vec<String> = characters.iter().map(char::to_string).collect();
    for first in characters {
        signs.extend(characters.iter().map(|second| format!("{first}{second}")));
    }
    let mut places: Vec<usize> = signs.iter().map(|sign| Sign::new(sign).expect("a sign").index()).collect();
    places.sort_unstable();
    assert!(places.iter().copied().eq(0..super::N_SIGNS));
}

#[test]
fn the_built_in_operators() {
    let operators = Operators::new();
    let precedence = |text| Some(operators.binary(Sign::new(text)?)?.precedence);
    let table = [("=", 2), ("<", 10), ("+", 20), ("-", 20), ("*", 40), ("/", 40), ("^", 50)];
    for (sign, expected) in table {
        assert_eq!(precedence(sign), Some(expected), "{sign}");
    }
    assert_eq!(precedence(">"), None);
    assert!(
        super::CHARACTERS
            .iter()
            .all(|&byte| operators.longest_prefix(&char::from(byte).to_string()).is_none())
    );
}
