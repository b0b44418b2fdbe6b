//! The crate that a path belongs to.

use super::crate_of;

#[test]
fn crate_of_a_path() {
    assert_eq!(crate_of("crates/llvm-orc/src/lib.rs"), "llvm-orc");
    assert_eq!(crate_of("tests/src/lib.rs"), "tests");
}
