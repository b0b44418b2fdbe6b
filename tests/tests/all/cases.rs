//! Case files below `cases/`, each in every mode.

use std::fmt::Write as _;
use std::fs;

use kaleidoscope::Mode;
use kaleidoscope_tests::case::Case;
use kaleidoscope_tests::run::{Setting, run};
use kaleidoscope_tests::{folder, programs};

/// Runs every case file in the mode and reports all differences.
fn check(mode: Mode) {
    let setting = Setting::new(mode, Default::default());
    let mut failures = String::new();
    let files = programs(folder("tests/cases"));
    assert!(files.len() > 100, "case files are missing");
    for path in files {
        let text = fs::read_to_string(&path).expect("a case file is readable text");
        let case = Case::parse(&text);
        if !case.runs_in(mode.name()) {
            continue;
        }
        let result = run(&text, setting);
        if let Err(differences) = case.check(&result, mode == Mode::Lazy) {
            if crate::bless() && (mode == Mode::Lazy || !case.runs_in(Mode::Lazy.name())) {
                fs::write(&path, case.bless(&text, &result)).expect("a case file can be written");
            } else {
                let path = path.strip_prefix(folder("tests/cases")).unwrap_or(&path);
                let _ = write!(failures, "{}\n{differences}", path.display());
            }
        }
    }
    assert!(failures.is_empty(), "mode {}:\n{failures}", mode.name());
}

#[test]
fn lazy() {
    check(Mode::Lazy);
}

#[test]
fn eager() {
    check(Mode::Eager);
}

#[test]
fn tiered() {
    check(Mode::Tiered);
}

#[test]
fn off() {
    check(Mode::Off);
}
