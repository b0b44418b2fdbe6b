//! The score-board: our command beside its peers. The benchmark of that name does the work.

use crate::steps::cargo;

/// Runs the benchmark with these options.
///
/// # Errors
///
/// When it fails; it has said why.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let compare =
        ["run", "--quiet", "--release", "--package", "kaleidoscope-benches", "--bin", "compare", "--"];
    cargo(&[&compare, options].concat(), &[])
}
