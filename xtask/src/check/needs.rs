//! What a part needs besides Rust and LLVM, and how it is installed.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::steps::root;

/// A program that a part needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    pub(crate) name: &'static str,
    /// A command that succeeds when it is there.
    pub(crate) probe: &'static [&'static str],
    pub(crate) install: Install,
}

/// How a need is installed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Install {
    /// As the Debian package of this name, which takes root or sudo.
    Apt,
    /// By a command: rustup, pip or npm.
    Command(&'static [&'static str]),
}

/// Installs what is missing.
///
/// # Errors
///
/// What is missing and cannot be installed, in one sentence.
pub(crate) fn install(needs: &[Need]) -> Result<(), String> {
    let missing = needs.iter().filter(|need| !succeeds(need.probe)).map(|need| {
        eprintln!("installing {}", need.name);
        match need.install {
            Install::Apt => install_package(need.name),
            Install::Command(command) => run(command),
        }
        .err()
        .or_else(|| (!succeeds(need.probe)).then(|| "it is not there afterwards".to_owned()))
        .map(|reason| format!("{} is missing: {reason}", need.name))
    });
    let missing: Vec<String> = missing.flatten().collect();
    if missing.is_empty() { Ok(()) } else { Err(missing.join("; ")) }
}

fn install_package(name: &str) -> Result<(), String> {
    // The package lists are fetched once.
    static UPDATE: OnceLock<Result<(), String>> = OnceLock::new();
    let as_root: &[&str] = if rustix::process::getuid().is_root() {
        &[]
    } else if succeeds(&["sudo", "-n", "true"]) {
        &["sudo", "-n"]
    } else {
        return Err(format!("only root can install it (apt-get install {name})"));
    };
    UPDATE.get_or_init(|| run(&[as_root, &["apt-get", "update", "-qq"]].concat())).clone()?;
    let quietly = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq"];
    run(&[as_root, &quietly, &["--no-install-recommends", name]].concat())
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(root()).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn succeeds(words: &[&str]) -> bool {
    command(words).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn run(words: &[&str]) -> Result<(), String> {
    match command(words).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` failed: {status}", words.join(" "))),
        Err(error) => Err(format!("`{}` cannot be started: {error}", words.join(" "))),
    }
}

#[cfg(test)]
mod tests;
