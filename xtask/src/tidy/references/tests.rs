//! What is named and does not exist.

use crate::tidy::Source;

/// The names that the rule finds missing in a document at this path.
fn missing(path: &str, text: &str) -> Vec<String> {
    let file = |path: &str, text: &str| Source::new(path, text);
    let sources = [
        file(path, text),
        file("crates/engine/src/osr.rs", "impl Core { fn apply() {} }"),
        file("crates/engine/tests/it/main.rs", ""),
        file("docs/internals/tiers.md", ""),
    ];
    let complaints = super::check(&sources);
    complaints.into_iter().filter_map(|found| found.message.split('`').nth(1).map(str::to_owned)).collect()
}

#[test]
fn links_lead_to_files() {
    assert_eq!(missing("README.md", "[a](docs/internals/tiers.md) [b](crates/engine/)"), [""; 0]);
    assert_eq!(missing("docs/a.md", "[a](internals/tiers.md#top) [b](../README.md)"), [""; 0]);
    assert_eq!(missing("docs/a.md", "[a](internals/loops.md)"), ["internals/loops.md"]);
    assert_eq!(missing("README.md", "[a](https://example.com/x.md) [b](#below) [c](crate::X)"), [""; 0]);
}

#[test]
fn paths_and_file_names_exist() {
    assert_eq!(missing("README.md", "`crates/engine/src/osr.rs`, `crates/engine`, `osr.rs`"), [""; 0]);
    assert_eq!(missing("README.md", "`crates/engine/src/tiers.rs`"), ["crates/engine/src/tiers.rs"]);
    assert_eq!(missing("README.md", "`sr.rs` and `src/osr.rs`"), ["sr.rs"]);
    assert_eq!(missing("crates/engine/README.md", "`tests/it/main.rs`"), [""; 0]);
    assert_eq!(missing("README.md", "tests of `x.rs` are in `x/tests.rs`; `crates/**`"), [""; 0]);
    assert_eq!(missing("README.md", "```text\n`gone.rs`\n```"), [""; 0]);
}

#[test]
fn functions_exist() {
    assert_eq!(missing("README.md", "`Core::apply`, `std::mem`"), [""; 0]);
    assert_eq!(missing("README.md", "`Core::redefine`"), ["Core::redefine"]);
    assert_eq!(missing("README.md", "`osr::apply`, `osr::tests::a_loop`"), ["osr::tests::a_loop"]);
}

#[test]
fn comments_name_crates_that_exist() {
    let path = "crates/kaleidoscope-jit/src/a.rs";
    assert_eq!(missing("xtask/src/a.rs", "//! See `crates/wasmtime/src/a.rs`, `docs/a.md`.\n"), [""; 0]);
    assert_eq!(missing("xtask/src/a.rs", &format!("// See `{path}`.\n")), [path]);
}
