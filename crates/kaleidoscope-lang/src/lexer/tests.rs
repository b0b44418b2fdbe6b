//! Where each token ends, and which ends more text could move.

use super::Lexer;
use crate::token::TokenKind::{self, *};

#[track_caller]
fn check(text: &str, expected: &[(TokenKind, &str)]) {
    let mut lexer = Lexer::new(text, 0);
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next_token();
        if token.kind == End {
            break;
        }
        tokens.push((token.kind, lexer.slice(token.span)));
    }
    assert_eq!(tokens, expected, "{text:?}");
}

#[test]
fn numbers() {
    for text in ["12", "007", "1.5", ".5", "1.", "1e5", "2.5E-3", "1.e5", ".5e+3"] {
        check(text, &[(Number, text)]);
    }
    for text in ["1.2.3", "1..5", "1e", "1e+", "12abc", "1.5x", "0x10", "1e5.5", "1ee5", "1.2.3.4e"] {
        check(text, &[(MalformedNumber, text)]);
    }
    check("a.5", &[(Identifier, "a"), (Number, ".5")]);
    check("1 .5", &[(Number, "1"), (Number, ".5")]);
    check("1..", &[(Number, "1."), (Operators, ".")]);
    check("1_000", &[(Number, "1"), (Operators, "_"), (Number, "000")]);
    check("12def", &[(MalformedNumber, "12def")]);
    check("1e-x", &[(MalformedNumber, "1e-x")]);
    check("1-2", &[(Number, "1"), (Operators, "-"), (Number, "2")]);
}

#[test]
fn runs_of_operator_characters() {
    check("!%&*+-./:<=>?@\\^_|~", &[(Operators, "!%&*+-./:<=>?@\\^_|~")]);
    check("a+-b", &[(Identifier, "a"), (Operators, "+-"), (Identifier, "b")]);
    check("a+.5", &[(Identifier, "a"), (Operators, "+"), (Number, ".5")]);
    check("a...5", &[(Identifier, "a"), (Operators, ".."), (Number, ".5")]);
    check("_a", &[(Operators, "_"), (Identifier, "a")]);
}

#[test]
fn space_and_comments() {
    check("", &[]);
    check(" \t\r\n\u{b}\u{c}\u{a0}\u{2003}", &[]);
    check("1 # 2 ; 3\n4#5", &[(Number, "1"), (Number, "4")]);
    check("1 # 2\r3", &[(Number, "1"), (Number, "3")]);
    check("\u{feff}1", &[(Number, "1")]);
    check("1\u{feff}", &[(Number, "1"), (Unknown, "\u{feff}")]);
}

#[test]
fn words_and_unknown_characters() {
    check("a_1 Def", &[(Identifier, "a_1"), (Identifier, "Def")]);
    check("$é\0", &[(Unknown, "$"), (Unknown, "é"), (Unknown, "\0")]);
    check(
        "(a,b);",
        &[
            (OpenParenthesis, "("),
            (Identifier, "a"),
            (Comma, ","),
            (Identifier, "b"),
            (CloseParenthesis, ")"),
            (Semicolon, ";"),
        ],
    );
}

#[test]
fn tokens_that_more_text_could_change() {
    let reached_end = |text| {
        let mut lexer = Lexer::new(text, 0);
        lexer.next_token();
        lexer.reached_end()
    };
    for text in ["", " ", "a", "1", "1.", "1e", "1e+", "+", ".", "# x", "# x\n", "1x", "1.5.", "1e5."] {
        assert!(reached_end(text), "{text:?}");
    }
    for text in ["a ", "1 ", "1. ", "+ ", ";", "(", ")", ",", "$", "+.5", "a#", "1x "] {
        assert!(!reached_end(text), "{text:?}");
    }
}
