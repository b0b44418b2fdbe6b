//! Project chores, started as `cargo xtask CHORE`.
//!
//! CI runs the chore `check all`, and a person can run the same. A chore runs a few commands or
//! reads the project's files. No delivered crate uses this program.

#![forbid(unsafe_code)]

mod check;
mod compare;
mod fuzz;
mod header;
mod install;
mod nightly;
mod sanitize;
mod soak;
mod steps;
mod tidy;
mod wheel;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  check [all | list | NAME…]      format, tidy, clippy, tests, documentation; or all parts, or these parts
  check soak [--rounds N] [--minutes M] [--seed S] [--only BINARY] [--record]
                                  every test N times (20) in another order, beside busy processes
  tidy [--rule RULE] [PATH]
                                  project rules: crate arrows, module cycles, operations, machine
                                  specifics, references, words, line widths, file sizes, unsafe
                                  blocks, the C header
  bless                           rewrite the expectations of case files and examples with their results
  header                          generate the C header of kaleidoscope-capi from its source
  install --prefix FOLDER [--llvm] [--profile PROFILE]
                                  build the C library, and install it with headers, pkg-config and CMake files
  random [--programs N] [--seed S]
                                  run N random programs (1000) in every mode and during tier-up, and compare
  compare [--rounds N] [--only WORK] [--record]
                                  compare our command with LLVM's chapter 7, LuaJIT, Node and C, as a table
  fuzz [--seconds N]              run all fuzz targets in parallel for N seconds (60); needs nightly, cargo-fuzz
  wheel                           build the Python package in target/python/wheels
  sanitize                        test the crates with unsafe code under AddressSanitizer; needs nightly
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *arguments.as_slice() {
        ["check", "soak", ref options @ ..] => match soak::Options::parse(options) {
            Ok(options) => soak::run(&options),
            Err(message) => return refuse(&message),
        },
        // A process of `check soak`.
        ["busy"] => {
            soak::busy();
            Ok(())
        }
        // A process of `check`.
        ["watch"] => {
            check::watch(std::io::stdin().lock());
            Ok(())
        }
        ["check", ref arguments @ ..] => match check::Selection::parse(arguments) {
            Ok(selection) => check::run(&selection),
            Err(message) => return refuse(&message),
        },
        ["tidy", ref arguments @ ..] => match tidy::Options::parse(arguments) {
            Ok(options) => tidy::run(&options),
            Err(message) => return refuse(&message),
        },
        ["bless"] => steps::bless(),
        ["header"] => header::write(&steps::root()),
        ["install", ref options @ ..] => match install::Options::parse(options) {
            Ok(options) => install::run(&options),
            Err(message) => return refuse(&message),
        },
        ["random", ref options @ ..] => match steps::RandomOptions::parse(options) {
            Ok(options) => steps::random(&options),
            Err(message) => return refuse(&message),
        },
        ["compare", ref options @ ..] => compare::run(options),
        ["fuzz", ref options @ ..] => match fuzz::Options::parse(options) {
            Ok(options) => fuzz::run(&options),
            Err(message) => return refuse(&message),
        },
        ["wheel"] => wheel::build().map(drop),
        ["sanitize"] => sanitize::run(),
        [] => return refuse("no chore given"),
        [unknown, ..] => return refuse(&format!("there is no chore `{unknown}` with these arguments")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Reports an invalid command line.
fn refuse(message: &str) -> ExitCode {
    eprintln!("xtask: {message}\n\n{USAGE}");
    ExitCode::from(2)
}
