//! Retired phrases in all their forms, and ordinary uses.

use crate::tidy::Source;

fn lines(path: &str, text: &str) -> Vec<usize> {
    let complaints = super::check(&[Source::new(path, text)]);
    complaints.iter().map(|complaint| complaint.line).collect()
}

#[test]
fn phrases_are_found_in_prose_identifiers_and_messages() {
    assert_eq!(lines("a.rs", "// It makes better\n// code.\n"), [1]);
    assert_eq!(lines("a.rs", "fn better_body() {}\n"), [1, 1], "a phrase and a word of an identifier");
    assert_eq!(lines("a.rs", "struct QuickCode;\n"), [1]);
    assert_eq!(lines("a.rs", "say(\"nobody's matter\");\n"), [1]);
    assert_eq!(lines("a.md", "One\nis taken back.\n\nBehaviour.\n"), [2, 4]);
    assert_eq!(lines("a.kal", "# carries x\n"), [1]);
}

#[test]
fn ordinary_uses_are_no_offence() {
    for text in [
        "// It turns text into words.\n",
        "fn f() { numbers.count(); /* the body of a loop */ }\n",
        "// This is better. Code is another matter.\n",
        "// This is better\n//\n// Code is another matter.\n",
        "fn returns() {}\n",
    ] {
        assert_eq!(lines("a.rs", text), [0; 0], "{text}");
    }
    assert_eq!(lines("a.rs", "let n_turns = 1;\n"), [1], "an identifier");
}

#[test]
fn what_must_name_them_is_exempt() {
    assert_eq!(lines("xtask/src/a.rs", "// nobody\n"), [0; 0]);
    assert_eq!(lines("CHANGELOG.md", "| better code | optimized code |\nnobody\n"), [2]);
}
