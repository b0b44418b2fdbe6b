//! Nightly toolchain for chores that need unstable features of Rust. CI does not need it.

use std::io;
use std::process::{Command, ExitStatus};

use crate::steps::root;

/// Returns the nightly cargo in the project's folder. The cargo that started this program is
/// stable.
///
/// # Errors
///
/// Names the missing program and how to install it.
pub(crate) fn cargo() -> Result<Command, String> {
    let version = Command::new("rustup").args(["run", "nightly", "cargo", "--version"]).output();
    if let Some(message) = missing(&version.map(|output| output.status)) {
        return Err(message.to_owned());
    }
    let mut cargo = Command::new("rustup");
    cargo.args(["run", "nightly", "cargo"]).current_dir(root());
    Ok(cargo)
}

/// Finds what is missing in rustup's answer.
fn missing(answer: &io::Result<ExitStatus>) -> Option<&'static str> {
    match answer {
        Ok(status) if status.success() => None,
        Ok(_) => Some("there is no nightly toolchain; get one by `rustup toolchain install nightly`"),
        Err(_) => {
            Some("there is no rustup, by which the nightly toolchain is found; get it from https://rustup.rs")
        }
    }
}

#[cfg(test)]
mod tests;
