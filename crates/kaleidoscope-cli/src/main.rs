//! The command `kaleidoscope`: runs programs, shows what becomes of them, talks at a terminal.
//!
//! What scripts may rely on (options, exit codes, what goes to which stream) is written down in the README. The
//! language and its engine are in the library; here are only the ways in and out.

#![forbid(unsafe_code)]

mod args;
mod console;
mod emit;
mod input;
mod interactive;
mod report;
mod run;
mod statistics;
mod stop;
mod trace;

use args::{Command, Invocation};
use clap::Parser;
use std::process::ExitCode;

/// How the command ends, as scripts see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Exit {
    /// All ran.
    Success = 0,
    /// An error in the program: in its text, its meaning, or while running.
    Program = 1,
    /// An error in the command line.
    Usage = 2,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
}

fn main() -> ExitCode {
    let exit = match Invocation::parse().command() {
        Command::Run(options) => run::run(options),
        Command::Emit(options) => emit::emit(&options),
        Command::Check(options) => run::check(&options),
        Command::Build(_) => {
            eprintln!(
                "error: `kaleidoscope build` is not there yet; `kaleidoscope run` compiles while it runs"
            );
            Exit::Usage
        }
    };
    ExitCode::from(exit as u8)
}
