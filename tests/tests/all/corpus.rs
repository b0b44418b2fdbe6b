//! Fuzz corpora: repeats the inputs that fuzzing has collected, one for each path that it found.
//!
//! `cargo xtask fuzz` searches for more.

use std::fs;

use kaleidoscope_tests::folder;
use kaleidoscope_tests::fuzz::TARGETS;

/// Checks all inputs in the corpus of the target.
fn check(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("the target exists");
    let corpus = folder("fuzz/corpus").join(name);
    let mut files: Vec<_> = corpus
        .read_dir()
        .unwrap_or_else(|error| panic!("{}: {error}", corpus.display()))
        .map(|entry| entry.expect("a folder that can be opened can be listed").path())
        .collect();
    files.sort();
    assert!(files.len() >= 10, "the corpus of `{name}` is missing");
    for file in files {
        let bytes = fs::read(&file).expect("a file of the corpus can be read");
        // The test harness shows this line when the check fails.
        eprintln!("{}", file.display());
        (target.check)(&bytes);
    }
}

#[test]
fn parser() {
    check("parser");
}

#[test]
fn modes() {
    check("modes");
}

#[test]
fn sessions() {
    check("sessions");
}

#[test]
fn functions() {
    check("functions");
}

#[test]
fn every_target_has_a_file() {
    for target in TARGETS {
        let file = folder("fuzz/targets").join(target.name).with_extension("rs");
        assert!(file.is_file(), "{}", file.display());
    }
}
