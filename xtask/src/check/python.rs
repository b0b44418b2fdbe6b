//! Part `python`: the Python package, from its wheel in a clean virtual environment.

use crate::steps::{cargo, root};
use crate::wheel::{self, Environment};

/// What the tests of the package need.
const FOR_TESTS: &[&str] = &[
    "numpy",
    "pytest",
    "hypothesis",
    "numba",
    "pandas",
    "polars",
    "pyarrow",
    "sympy",
    "nbclient",
    "nbformat",
    "ipykernel",
];

/// The crate's lints, which the core does not see: the crate is a workspace of its own.
///
/// # Errors
///
/// Which command failed, in one sentence.
pub(super) fn lint() -> Result<(), String> {
    let manifest = ["--manifest-path", "crates/kaleidoscope-python/Cargo.toml"];
    cargo(&[&["fmt", "--check"][..], &manifest].concat(), &[])?;
    let clippy = ["clippy", "--quiet", "--target-dir", "target/python"];
    cargo(&[&clippy[..], &manifest, &["--", "--deny", "warnings"]].concat(), &[])
}

/// Builds the wheel, installs it, and runs the tests.
///
/// # Errors
///
/// Which command failed, in one sentence.
pub(super) fn test() -> Result<(), String> {
    let wheel = wheel::build()?;
    let clean = Environment::empty("clean")?;
    clean.install(FOR_TESTS)?;
    clean.install(&[&wheel.to_string_lossy()])?;
    let tests = root().join("crates/kaleidoscope-python");
    wheel::run(clean.command("python").args(["-m", "pytest"]).current_dir(tests))
}
