//! Crates with and without cycles.

use crate::tidy::Source;

/// The complaints about a crate of these files.
fn complaints(files: &[(&str, &str)]) -> Vec<String> {
    let source = |(name, text): &(&str, &str)| Source::new(format!("crates/a/src/{name}.rs"), *text);
    let sources: Vec<_> = files.iter().map(source).collect();
    let all = super::check(&sources).into_iter();
    all.map(|complaint| format!("{}:{}: {}", complaint.path, complaint.line, complaint.message)).collect()
}

const ROOT: (&str, &str) = ("lib", "mod one; mod two;");

#[test]
fn uses_in_one_direction_are_fine() {
    assert_eq!(complaints(&[ROOT, ("one", "use crate::two::T;"), ("two", "pub struct T;")]), [""; 0]);
}

#[test]
fn a_cycle_is_shown_edge_by_edge() {
    let one = ("one", "use crate::two::T;\npub struct S;");
    let expected = [
        "crates/a/src/one.rs:1: `crate::one` uses `crate::two`, in a cycle of 2 modules",
        "crates/a/src/two.rs:2: `crate::two` uses `crate::one`, in a cycle of 2 modules",
    ];
    for two in [
        "pub struct T;\nuse crate::one::S;",
        "pub struct T;\nuse super::{one::S};",
        "pub struct T;\nfn f() -> crate::one::S { todo() }",
        "pub struct T;\nfn f() { vec![crate::one::S] }",
        "pub struct T;\nuse crate::one;",
        "pub struct T;\nuse crate::one::*;",
    ] {
        assert_eq!(complaints(&[ROOT, one, ("two", two)]), expected, "{two}");
    }
}

#[test]
fn exports_hide_nothing() {
    let root = ("lib", "mod one; mod two; pub use one::S; pub use two::T as U;");
    let files = [root, ("one", "pub struct S(crate::U);"), ("two", "use super::*; pub struct T(S);")];
    assert_eq!(complaints(&files).len(), 2);
}

#[test]
fn parents_children_and_tests_are_exempt() {
    let files = [
        ROOT,
        ("one", "mod inner; pub struct S(inner::T);"),
        ("one/inner", "pub struct T(Option<super::S>);"),
        ("two", "use crate::one::S; #[cfg(test)] mod tests { use crate::one::S; }"),
    ];
    assert_eq!(complaints(&files), [""; 0]);
    let files = [
        ROOT,
        ("one", "#[cfg(test)] mod tests; pub struct S;"),
        ("one/tests", "use crate::two::T;"),
        ("two", "pub struct T(crate::one::S);"),
    ];
    assert_eq!(complaints(&files), [""; 0]);
}

#[test]
fn other_crates_are_no_modules() {
    let files = [ROOT, ("one", "use two::T; use crate::two::U;"), ("two", "use one::S; pub struct U;")];
    assert_eq!(complaints(&files), [""; 0]);
}
