//! Each rule, broken and kept.

use super::check;
use crate::tidy::Source;

const PLAIN: &str = "crates/kaleidoscope-lang/src/lexer.rs";
const FENCE: &str = "crates/llvm-orc/src/error.rs";

fn complaints(path: &str, text: &str) -> usize {
    let report = check(&Source::new(path, text));
    report.complaints.len()
}

#[test]
fn headers() {
    assert_eq!(complaints(PLAIN, "//! Says something.\n"), 0);
    assert_eq!(complaints(PLAIN, "use std::fmt;\n"), 1);
}

#[test]
fn sizes() {
    let long = "fn f() {}\n".repeat(601);
    assert_eq!(complaints(PLAIN, &format!("//! Says something.\n{long}")), 1);
    assert_eq!(complaints(PLAIN, &format!("//! One table, hence its many lines.\n{long}")), 0);
}

#[test]
fn names() {
    assert_eq!(complaints("crates/kaleidoscope-lang/src/utils.rs", "//! x\n"), 1);
    assert_eq!(complaints("crates/kaleidoscope-lang/src/common/print.rs", "//! x\n"), 1);
    assert_eq!(complaints("crates/kaleidoscope-lang/src/commonplace.rs", "//! x\n"), 0);
}

#[test]
fn unsafe_blocks() {
    let text = "//! x\n// unsafe { in a comment }\nunsafe fn f() { unsafe { g() } }\n#![deny(unsafe_code)]\n";
    assert_eq!(check(&Source::new(FENCE, text)).n_unsafe_blocks, 1);
    assert_eq!(complaints(FENCE, text), 0);
    assert_eq!(complaints(PLAIN, text), 1);
    assert_eq!(complaints("crates/kaleidoscope/src/raw.rs", text), 0);
    assert_eq!(complaints("crates/kaleidoscope/src/engine.rs", text), 1);
}

#[test]
fn unfinished_work() {
    for line in [
        concat!("// TO", "DO: later"),
        concat!("//! FIX", "ME"),
        "todo!()",
        "#[ignore]",
        "std::thread::sleep(d);",
    ] {
        assert_eq!(complaints(PLAIN, &format!("//! x\n{line}\n")), 1, "{line}");
    }
    assert_eq!(complaints(PLAIN, "//! x\nlet text = \"todo!\";\n"), 0);
}

#[test]
fn linker_names() {
    let text = "//! x\nlet name = \"fib$impl1\";\n";
    assert_eq!(complaints("crates/kaleidoscope-llvm/src/lower.rs", text), 1);
    assert_eq!(complaints("crates/kaleidoscope-llvm/src/symbols.rs", text), 0);
    assert_eq!(complaints("crates/kaleidoscope-llvm/src/lower/tests.rs", text), 0);
    assert_eq!(complaints(PLAIN, "//! The name `fib$impl1`.\n"), 0);
}
