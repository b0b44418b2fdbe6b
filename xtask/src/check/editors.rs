//! Part `editors`: the tests of the grammar for editors, with npm.

use std::process::Command;

use crate::steps::root;

/// The folder of the extension.
const FOLDER: &str = "editors/vscode";

/// Installs what the tests need, in the folder of the extension, and runs them.
///
/// # Errors
///
/// Which command failed, in one sentence.
pub(super) fn run() -> Result<(), String> {
    npm(&["ci", "--silent", "--no-audit", "--no-fund"])?;
    npm(&["test", "--silent"])
}

fn npm(arguments: &[&str]) -> Result<(), String> {
    let status = Command::new("npm").args(arguments).current_dir(root().join(FOLDER)).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("npm {}: {status}", arguments.join(" "))),
        Err(error) => Err(format!("npm cannot be started: {error}")),
    }
}
