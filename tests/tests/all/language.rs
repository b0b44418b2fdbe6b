//! The examples of `docs/language.md`: each is a case, in every mode.

use std::fmt::Write as _;
use std::fs;

use kaleidoscope_tests::case::Case;
use kaleidoscope_tests::folder;
use kaleidoscope_tests::run::{Setting, run};

#[test]
fn examples_of_the_reference_are_true() {
    let reference = fs::read_to_string(folder("docs/language.md")).expect("the reference is readable text");
    // Fences alternate: an example is between the first and the second.
    let examples: Vec<_> =
        reference.split("\n```").filter_map(|part| part.strip_prefix("kaleidoscope\n")).collect();
    assert!(examples.len() > 15, "the reference has {} examples", examples.len());
    let mut failures = String::new();
    for text in examples {
        for setting in Setting::every_mode() {
            if let Err(differences) = Case::parse(text).check(&run(text, setting), false) {
                let _ = write!(failures, "mode {}:\n{text}\n{differences}", setting.mode.name());
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
