//! Checks of the fuzz targets. The targets in `fuzz/` only call these functions.
//!
//! Each check depends on the input bytes alone, so a plain test can repeat a fuzzer's input.

use crate::compare::check_program;
use crate::function;
use crate::generate::Program;
use crate::random::Random;
use crate::reading;
use crate::session::Session;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the target's file and of its corpus folder.
    pub name: &'static str,
    /// Checks the bytes. Panics on a finding.
    pub check: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "parser", check: parser },
    Target { name: "modes", check: modes },
    Target { name: "sessions", check: sessions },
    Target { name: "functions", check: functions },
];

/// Reads any bytes as text: [`reading::check`].
///
/// # Panics
///
/// On a finding.
pub fn parser(bytes: &[u8]) {
    require(reading::check(&String::from_utf8_lossy(bytes)));
}

/// Generates a program from the bytes and runs it in every mode: [`check_program`].
///
/// # Panics
///
/// On a finding.
pub fn modes(bytes: &[u8]) {
    require(check_program(&Program::from_bytes(bytes)).map(drop));
}

/// Generates a session from the bytes and runs it in every mode: [`Session::check`].
///
/// # Panics
///
/// On a finding.
pub fn sessions(bytes: &[u8]) {
    require(Session::from_bytes(bytes).check());
}

/// Generates functions of the IR from the bytes, and compares baseline code with the interpreter:
/// [`function::check`].
///
/// # Panics
///
/// On a finding.
pub fn functions(bytes: &[u8]) {
    require(function::check(&mut Random::from_bytes(bytes)));
}

fn require(result: Result<(), String>) {
    if let Err(finding) = result {
        panic!("{finding}");
    }
}
