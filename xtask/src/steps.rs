//! Chores of one command each, and running commands.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The test binary with the case files and the random programs.
const CASES: &[&str] = &["test", "--quiet", "--package", "kaleidoscope-tests", "--test", "all", "--"];

/// Returns the project's folder.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a folder of the project").to_path_buf()
}

/// Returns cargo in the project's folder with additional environment variables.
pub(crate) fn cargo_command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).envs(variables.iter().copied()).current_dir(root());
    command
}

/// Runs cargo in the project's folder with additional environment variables.
///
/// # Errors
///
/// Names the command if it cannot be started or fails.
pub(crate) fn cargo(arguments: &[&str], variables: &[(&str, &str)]) -> Result<(), String> {
    let status = cargo_command(arguments, variables)
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("cargo {}: {status}", arguments.join(" "))) }
}

/// Rewrites the expectations of the case files and examples with their current results.
pub(crate) fn bless() -> Result<(), String> {
    cargo(&[CASES, &["cases", "examples"]].concat(), &[("BLESS", "1")])?;
    eprintln!("read the difference before you commit it: git diff tests/cases examples");
    Ok(())
}

/// Number of random programs and their first seed. `None` means a fresh seed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RandomOptions {
    programs: u64,
    seed: Option<u64>,
}

impl RandomOptions {
    /// Reads the options of the chore `random`.
    ///
    /// # Errors
    ///
    /// If an option is unknown or has an invalid value, in one sentence.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self, String> {
        let mut options = Self { programs: 1000, seed: None };
        for pair in arguments.chunks(2) {
            let &[name, value] = pair else { return Err(format!("`{}` lacks its value", pair[0])) };
            let number = value.parse().map_err(|_| format!("`{value}` is not a whole number"))?;
            match name {
                "--programs" => options.programs = number,
                "--seed" => options.seed = Some(number),
                _ => return Err(format!("`random` has no option `{name}`")),
            }
        }
        Ok(options)
    }
}

/// Runs random programs in every mode and compares the results.
pub(crate) fn random(options: &RandomOptions) -> Result<(), String> {
    let programs = options.programs.to_string();
    let seed = options.seed.map(|seed| seed.to_string());
    let mut variables = vec![("RANDOM_PROGRAMS", programs.as_str())];
    variables.extend(seed.as_deref().map(|seed| ("RANDOM_SEED", seed)));
    cargo(&[CASES, &["random::", "--nocapture"]].concat(), &variables)
}

#[cfg(test)]
mod tests;
