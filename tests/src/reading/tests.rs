//! The reader properties, checked on valid and invalid texts.

use super::{check, random_pieces};

#[test]
fn the_properties_hold_for_valid_and_invalid_texts() {
    for text in [
        "",
        "#",
        "def f(x) x + 1; f(2)",
        "def binary@@ 7 (a b) a - b; 1 @@ 2 @@ 3 ^ -1; 4 @ 5",
        "def unary-(v) 0-v; -2^-2; 2--3",
        "def f(f) f(f; ) 1 def f() é 4",
        "var x = 1, x in for i = x, i < 3 in if x then 1 else 2 + 3",
        "1.2.3 1e 12ab \u{0} ; \u{fffd} 1e-400 1e400",
        "extern f(x) extern f(x y) f(1); f()\r# c\r\n;;; )",
        "def long(x) x + x + x + x def f(x) x; f(1); 1 + 2 + 3 + 4 + 5 + 6 + 7; f(2)",
    ] {
        assert_eq!(check(text), Ok(()), "{text}");
    }
}

#[test]
fn random_pieces_make_up_the_text() {
    let text = "def é(x) x; ".repeat(100);
    assert_eq!(random_pieces(&text).concat(), text);
    assert!(random_pieces(&text).len() > 1);
}
