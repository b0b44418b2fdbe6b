//! The command `kaleidoscope`: runs programs, shows what becomes of them, talks at a terminal.
//!
//! `docs/cli.md` says what scripts may rely on: options, exit codes, what goes to which stream. The
//! language and its engine are in the library; here are only the ways in and out.

#![forbid(unsafe_code)]

mod args;
mod backend;
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
use std::io::{self, Write};

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

impl Exit {
    /// Ends the process at once. Code may be in the making on other threads: nobody needs it any more, and what LLVM takes
    /// down when a process ends in the usual way would be taken from under them.
    fn now(self) -> ! {
        // A failure was told when the output was finished.
        drop(io::stdout().flush());
        kaleidoscope::exit_at_once(self as u8)
    }
}

fn main() {
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
    exit.now()
}
