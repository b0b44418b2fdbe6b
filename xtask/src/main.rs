//! The chores of the project, started as `cargo xtask CHORE`.
//!
//! CI runs the chore `check all`, and a person can run the same. A chore is a few commands or a
//! walk over the files. Nothing here is part of what the project delivers.

#![forbid(unsafe_code)]

mod check;
mod compare;
mod fuzz;
mod header;
mod nightly;
mod sanitize;
mod soak;
mod steps;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  check [all | list | NAME…]      format, tidy, clippy, tests, documentation; or all parts, or these parts
  check soak [--rounds N] [--minutes M] [--seed S] [--only BINARY] [--record]
                                  every test N times (20) in another order, beside busy processes
  tidy [--strict] [--rule RULE] [PATH]
                                  the rules of the house: crate arrows, module cycles, operations, machine
                                  specifics, references, words, line widths, file sizes, unsafe
                                  blocks, the C header
  bless                           write what the case files and examples give now as their expectations
  header                          write the C header of kaleidoscope-capi as its source says it
  random [--programs N] [--seed S]
                                  N random programs (1000), the same results in every mode and under promotion
  compare [--rounds N] [--only WORK] [--record]
                                  our command beside LLVM's chapter 7, LuaJIT, Node and C, as a table
  fuzz [--seconds N]              every fuzz target side by side for N seconds (60); needs nightly and cargo-fuzz
  sanitize                        the tests of the crates with unsafe code under AddressSanitizer; needs nightly
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
        ["random", ref options @ ..] => match steps::RandomOptions::parse(options) {
            Ok(options) => steps::random(&options),
            Err(message) => return refuse(&message),
        },
        ["compare", ref options @ ..] => compare::run(options),
        ["fuzz", ref options @ ..] => match fuzz::Options::parse(options) {
            Ok(options) => fuzz::run(&options),
            Err(message) => return refuse(&message),
        },
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

/// The command line makes no sense.
fn refuse(message: &str) -> ExitCode {
    eprintln!("xtask: {message}\n\n{USAGE}");
    ExitCode::from(2)
}
