//! What is there and what cannot be installed.

use super::{Install, Need, install};

#[test]
fn what_is_there_is_not_installed() {
    let there = Need { name: "sh", probe: &["true"], install: Install::Command(&["false"]) };
    assert_eq!(install(&[there]), Ok(()));
}

#[test]
fn what_cannot_be_installed_is_named_with_the_reason() {
    let failing = Need { name: "this", probe: &["false"], install: Install::Command(&["false"]) };
    let useless = Need { name: "that", probe: &["false"], install: Install::Command(&["true"]) };
    let message = install(&[failing, useless]).expect_err("both are missing");
    for part in ["this is missing: `false` failed", "that is missing: it is not there afterwards"] {
        assert!(message.contains(part), "{message}");
    }
}
