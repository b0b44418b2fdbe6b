//! What each fuzz target does with its input. The targets themselves, in `fuzz/`, are one line each.
//!
//! Everything here is a function of the bytes, so that a plain test can do again what a fuzzer has done.

use crate::compare::check_program;
use crate::generate::Program;
use crate::reading;
use crate::session::Session;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its file, and of the folder of its corpus.
    pub name: &'static str,
    /// What is done with the bytes; panics on a finding.
    pub check: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "parser", check: parser },
    Target { name: "modes", check: modes },
    Target { name: "sessions", check: sessions },
];

/// Reads any bytes as text: [`reading::check`].
///
/// # Panics
///
/// On a finding.
pub fn parser(bytes: &[u8]) {
    accept(reading::check(&String::from_utf8_lossy(bytes)));
}

/// Runs the program that the bytes choose in every mode: [`check_program`].
///
/// # Panics
///
/// On a finding.
pub fn modes(bytes: &[u8]) {
    accept(check_program(&Program::from_bytes(bytes)).map(drop));
}

/// Runs the session that the bytes choose in every mode: [`Session::check`].
///
/// # Panics
///
/// On a finding.
pub fn sessions(bytes: &[u8]) {
    accept(Session::from_bytes(bytes).check());
}

fn accept(verdict: Result<(), String>) {
    if let Err(finding) = verdict {
        panic!("{finding}");
    }
}
