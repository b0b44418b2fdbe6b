//! The test binaries of the workspace and the tests in each.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::check::Group;
use crate::steps::cargo_command;

/// A test binary.
#[derive(Debug)]
pub(super) struct Binary {
    /// The package and the target.
    pub(super) name: String,
    pub(super) executable: PathBuf,
    /// Where cargo runs it: the package's folder.
    pub(super) folder: PathBuf,
    /// The names of its tests. One without a name for a program that has no test harness.
    pub(super) tests: Vec<String>,
}

/// Arguments of `cargo test` with which the parts of `./check` test the workspace.
const SETS: &[&str] = &[
    "--workspace --exclude kaleidoscope-capi --exclude kaleidoscope-benches",
    "--package kaleidoscope-capi",
    "--package kaleidoscope-benches --lib",
];

/// Tests that begin so are left out. Their results do not depend on the scheduler: most of their
/// time they compile for other machines, or run as many random programs as a budget of time allows.
/// They are parts of `./check` of their own.
const LEFT_OUT: &[&str] = &["built::", "corpus::", "cross::", "random::"];

/// What the tests of the C library build themselves. Done before, so that no test takes that long.
const C_LIBRARY: &str = "build --profile soak --quiet --lib --package kaleidoscope-capi";

/// Builds the test binaries whose name contains `only`, and lists their tests.
///
/// # Errors
///
/// When cargo fails, or a binary does not list its tests.
pub(super) fn build(only: &str) -> Result<Vec<Binary>, String> {
    let mut binaries = Vec::new();
    for set in SETS {
        let arguments =
            format!("test --profile soak {set} --tests --no-run --message-format json-render-diagnostics");
        for line in cargo(&arguments)?.lines() {
            let message: Value =
                serde_json::from_str(line).map_err(|error| format!("cargo {arguments}: {error}"))?;
            if let Some(binary) = of_message(&message).filter(|binary| binary.name.contains(only)) {
                binaries.push(binary);
            }
        }
    }
    if binaries.iter().any(|binary| binary.name.starts_with("kaleidoscope-capi")) {
        cargo(C_LIBRARY)?;
    }
    for binary in &mut binaries {
        binary.tests = list(binary)?;
    }
    Ok(binaries)
}

/// Runs cargo and returns what it writes to standard output.
fn cargo(arguments: &str) -> Result<String, String> {
    let mut command = cargo_command(&arguments.split_whitespace().collect::<Vec<_>>(), &[]);
    let (group, child) = Group::start(command.stdout(Stdio::piped()))?;
    let output = child.wait_with_output();
    drop(group);
    let output = output.map_err(|error| format!("cargo {arguments}: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo {arguments}: {}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The binary of which cargo says that it was built.
fn of_message(message: &Value) -> Option<Binary> {
    if message["profile"]["test"] != true {
        return None;
    }
    let executable = PathBuf::from(message["executable"].as_str()?);
    let folder = PathBuf::from(message["manifest_path"].as_str()?).parent()?.to_path_buf();
    let package = folder.file_name()?.to_string_lossy().into_owned();
    let target = message["target"]["name"].as_str()?;
    let kind = message["target"]["kind"][0].as_str()?;
    let name = if kind == "test" || kind == "example" { target } else { "unit tests" };
    Some(Binary { name: format!("{package}: {name}"), executable, folder, tests: Vec::new() })
}

/// Asks the binary for its tests. An example without a harness runs instead, and lists none.
fn list(binary: &Binary) -> Result<Vec<String>, String> {
    let output = binary.command(&["--list", "--format", "terse"]).output();
    let output = output.map_err(|error| format!("{}: {error}", binary.name))?;
    if !output.status.success() {
        return Err(format!("{}: {}", binary.name, output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let tests: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .filter(is_repeated)
        .map(str::to_owned)
        .collect();
    let has_harness = text.lines().all(|line| line.ends_with(": test") || line.ends_with(": benchmark"));
    Ok(if has_harness { tests } else { vec![String::new()] })
}

/// Whether the test is one of those that run in each round.
fn is_repeated(test: &&str) -> bool {
    !LEFT_OUT.iter().any(|begin| test.starts_with(begin))
}

#[cfg(test)]
mod tests;
