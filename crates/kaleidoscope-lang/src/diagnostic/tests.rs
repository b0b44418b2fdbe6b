//! Rendered diagnostics, for places anywhere in any text.

use std::collections::HashSet;

use super::{Color, Diagnostic, DiagnosticCode, render};
use crate::source::{Source, Span};
use crate::test_kit::rendered;

#[test]
fn codes_are_stable_and_different() {
    let mut seen = HashSet::new();
    for &code in DiagnosticCode::ALL {
        let name = code.as_str();
        assert!(name.len() == 7 && name.starts_with("KLS") && seen.insert(name), "{name}");
        assert!(code.summary().len() > 10 && !code.summary().starts_with(' '), "{name}");
    }
    assert_eq!(DiagnosticCode::ExpectedExpression.as_str(), "KLS1001");
    assert_eq!(DiagnosticCode::StackOverflow.as_str(), "KLS3004");
}

#[test]
fn an_error_marks_its_place_in_the_line() {
    let expected = "error[KLS1001]: expected an expression, found `;`
 --> test:2:5
  |
2 | 4 + ;
  |     ^
";
    assert_eq!(rendered("1;\n4 + ;\n2"), expected);
}

#[test]
fn labels_and_hints_are_shown() {
    let expected = "error[KLS2006]: two parameters are named `a`
 --> test:2:2
  |
1 | def f(a,
  |       - the other one
2 |  a) a;
  |  ^
";
    assert_eq!(rendered("def f(a,\n a) a;"), expected);
    let expected = "error[KLS2002]: there is no function `sqr`
 --> test:1:5
  |
1 | 1 + sqr(2)
  |     ^^^
  |
  = help: there is one named `sqrt`
";
    assert_eq!(rendered("1 + sqr(2)"), expected);
}

#[test]
fn places_at_the_edges_of_the_text_are_marked() {
    for text in ["", "\n", "x", "x\n\n", "é"] {
        let source = Source::new("test", text);
        for start in 0..=text.len() as u32 + 2 {
            for end in [start, start + 1, 1000, u32::MAX] {
                let diagnostic =
                    Diagnostic::error(DiagnosticCode::Internal, Span::new(start, end), "message")
                        .with_label(Span::new(0, start), "label");
                let rendered = render(&diagnostic, &source, Color::Never);
                assert!(rendered.starts_with("error[KLS3010]: message\n"), "{rendered}");
            }
        }
    }
    let nowhere = Diagnostic::error(DiagnosticCode::StackOverflow, None, "stack overflow in `f`");
    assert_eq!(
        render(&nowhere, &Source::new("test", ""), Color::Never),
        "error[KLS3004]: stack overflow in `f`\n"
    );
}

#[test]
fn a_place_over_several_lines_marks_the_first() {
    let source = Source::new("test", "f(1,\n2)\n");
    let diagnostic = Diagnostic::error(DiagnosticCode::WrongArgumentCount, Span::new(0, 7), "message");
    let expected = "error[KLS2004]: message\n --> test:1:1\n  |\n1 | f(1,\n  | ^^^^\n";
    assert_eq!(render(&diagnostic, &source, Color::Never), expected);
}

#[test]
fn long_lines_are_cut() {
    let text = format!("1{} + $ {}", " + 1".repeat(500_000), " + 1".repeat(500_000));
    let rendered = rendered(&text);
    assert!(rendered.len() < 1000, "{} bytes", rendered.len());
    assert!(rendered.contains(" --> test:1:2000005\n"), "{rendered}");
    assert!(rendered.contains("1 + 1 + $ "), "{rendered}");
}

/// A file with the line ends of Windows has the diagnostics of the same file with those of Unix.
#[test]
fn line_ends_of_windows_are_not_shown() {
    for text in [
        "1;\n4 + ;\n2\n",
        "4 +\n",
        "x\n",
        "\n\nx y\nz",
        "def f(a,\n b,\n a) a;\n",
        "def f(a\n a) a;\n",
        "f(1,\n2)\n",
        "1e\n",
    ] {
        let windows = text.replace('\n', "\r\n");
        assert_eq!(rendered(&windows), rendered(text), "{text:?}");
    }
    // Long lines, of which a part is shown.
    let long = format!("{}x\n", " ".repeat(10_000));
    assert_eq!(rendered(&long.replace('\n', "\r\n")), rendered(&long));
    // Only line ends are left out.
    assert_ne!(rendered("x \r + y;\r\n"), rendered("x  + y;\n"));
}

#[test]
fn control_characters_are_escaped() {
    let rendered = rendered("1 + \u{1b}[31m\u{7} \u{202e}; # \u{1b}[2J");
    assert!(rendered.chars().all(|character| character == '\n' || !character.is_control()), "{rendered:?}");
    assert!(!rendered.contains('\u{202e}'), "{rendered:?}");
}

#[test]
fn colors_only_when_asked_for() {
    let source = Source::new("test", "x");
    let diagnostic = Diagnostic::warning(DiagnosticCode::UnknownVariable, Span::new(0, 1), "message");
    assert!(!render(&diagnostic, &source, Color::Never).contains('\u{1b}'));
    assert!(render(&diagnostic, &source, Color::Always).contains('\u{1b}'));
}
