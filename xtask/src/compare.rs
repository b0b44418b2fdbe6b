//! Scoreboard: runs the benchmark `compare`, which compares our command with its peers.

use crate::steps::cargo;

/// Runs the benchmark with these options.
///
/// # Errors
///
/// If the benchmark fails. It prints the reason.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let compare =
        ["run", "--quiet", "--release", "--package", "kaleidoscope-benches", "--bin", "compare", "--"];
    cargo(&[&compare, options].concat(), &[])
}
