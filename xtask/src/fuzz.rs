//! Fuzzing: runs all targets in parallel for a given time.
//!
//! Needs a nightly toolchain and cargo-fuzz, so it is not a part of `./check`. The part `fuzz`
//! replays the inputs of `fuzz/corpus` as tests. No sanitizer is used: sanitizers do not know
//! generated code, and the language's own crate has no unsafe code.

use std::fs;
use std::io;
use std::process::{Child, Command};

use crate::nightly;
use crate::steps::root;

/// Duration of the run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    seconds: u64,
}

impl Options {
    /// Reads the options of the chore `fuzz`.
    ///
    /// # Errors
    ///
    /// If an option is unknown or has an invalid value, in one sentence.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self, String> {
        match *arguments {
            [] => Ok(Self { seconds: 60 }),
            ["--seconds", seconds] => {
                let seconds = seconds.parse().map_err(|_| format!("`{seconds}` is not a whole number"))?;
                Ok(Self { seconds })
            }
            _ => Err("`fuzz` has one option, `--seconds N`".to_owned()),
        }
    }
}

/// Searches for inputs that fail, beginning with the corpus. New inputs that reach more code are
/// written to `fuzz/found`.
///
/// # Errors
///
/// Names the targets that failed. Each has printed its finding.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let runs: Vec<_> = commands(options.seconds)?
        .into_iter()
        .map(|(target, mut command)| (target, command.spawn().map_err(|error| not_started(&error))))
        .collect();
    let verdicts = runs.into_iter().map(|(target, run)| run.and_then(|child| finish(&target, child)));
    let failures: Vec<String> = verdicts.filter_map(Result::err).collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// Builds all targets. Returns the command that runs each for this time, by its name.
///
/// # Errors
///
/// If a program is missing, or a target cannot be built.
pub(crate) fn commands(seconds: u64) -> Result<Vec<(String, Command)>, String> {
    let mut build = cargo_fuzz(&["build", "--sanitizer", "none"])?;
    finish("build", build.spawn().map_err(|error| not_started(&error))?)?;
    targets()?.into_iter().map(|target| command(&target, seconds).map(|command| (target, command))).collect()
}

/// Returns the names of the files in `fuzz/targets`.
fn targets() -> Result<Vec<String>, String> {
    let folder = root().join("fuzz/targets");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{} cannot be listed: {error}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn command(target: &str, seconds: u64) -> Result<Command, String> {
    let (found, corpus) = (format!("fuzz/found/{target}"), format!("fuzz/corpus/{target}"));
    fs::create_dir_all(root().join(&found)).map_err(|error| format!("{found} cannot be created: {error}"))?;
    let time = format!("-max_total_time={seconds}");
    let words = format!("fuzz/{target}.dict");
    let dictionary = format!("-dict={words}");
    // Programs end within a few milliseconds. A run of a minute is a finding.
    let mut arguments = vec!["run", "--sanitizer", "none", target, &found, &corpus, "--", &time];
    arguments.extend(["-timeout=60", "-max_len=2048", "-print_final_stats=1"]);
    if root().join(&words).is_file() {
        arguments.push(&dictionary);
    }
    cargo_fuzz(&arguments)
}

fn cargo_fuzz(arguments: &[&str]) -> Result<Command, String> {
    let mut cargo = nightly::cargo()?;
    cargo.arg("fuzz").args(arguments);
    Ok(cargo)
}

fn not_started(error: &io::Error) -> String {
    format!("rustup cannot be started: {error}")
}

fn finish(what: &str, mut child: Child) -> Result<(), String> {
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo fuzz, {what}: {status}")),
        Err(error) => Err(format!("cargo fuzz, {what}: {error}")),
    }
}

#[cfg(test)]
mod tests;
