//! The command `kaleidoscope`: runs and builds programs, shows their stages, and talks at a
//! terminal.
//!
//! `docs/cli.md` lists what scripts may rely on: options, exit codes, streams. The library has the
//! language and its engine. This crate has input, output and options.

mod args;
mod arrays;
mod backend;
mod build;
mod cache;
mod closed_output;
mod console;
mod emit;
mod fmt;
mod input;
mod interactive;
mod man;
mod numbers;
mod out_of_memory;
mod parameters;
mod progress;
mod ready;
mod refusal;
mod report;
mod run;
mod session;
mod statistics;
mod stop;
mod trace;

use args::{Command, Invocation};
use clap::Parser;
use rustix::process::{Resource, getrlimit};
use std::io::{self, Write};
use std::panic::resume_unwind;
use std::thread::{self, JoinHandle};

/// The exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Exit {
    /// Everything ran.
    Success = 0,
    /// An error in the program: in its text, its meaning, or while running.
    Program = 1,
    /// An error in the command line.
    Usage = 2,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
    /// Stopped by SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// Whether a signal stopped the command.
    fn is_stopped(self) -> bool {
        matches!(self, Self::Interrupted | Self::Terminated)
    }

    /// Ends the process without LLVM's exit handlers. Compile threads may still be running, and the
    /// handlers would destroy what those threads use.
    fn now(self) -> ! {
        // A failure was reported when the output was finished.
        drop(io::stdout().flush());
        kaleidoscope::exit_at_once(self as u8)
    }
}

/// The stack in bytes that the command has at least; as large as Linux gives it by default.
const STACK_BYTES: usize = 8 << 20;

/// The smallest limit on the stack, in bytes, with which the command runs on the first thread. An
/// unoptimized build takes some 180 KiB to read its arguments.
const SMALL_STACK_BYTES: u64 = 1 << 20;

fn main() {
    let is_small = getrlimit(Resource::Stack).current.is_some_and(|limit| limit < SMALL_STACK_BYTES);
    if !is_small {
        run_command();
    }
    let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn(|| run_command());
    match thread.map(JoinHandle::join) {
        Ok(Ok(never)) => never,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(error) => {
            eprintln!("error: the stack is too small (`ulimit -s`), and there is no thread: {error}");
            Exit::Program.now()
        }
    }
}

/// Prints a text of the command line itself.
fn print_text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Exit {
    let mut text = Vec::new();
    match write(&mut text).and_then(|()| io::stdout().write_all(&text)) {
        Ok(()) => Exit::Success,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success,
        Err(error) => {
            eprintln!("error: cannot write to standard output: {error}");
            Exit::Program
        }
    }
}

fn run_command() -> ! {
    let exit = match Invocation::parse().command() {
        Command::Run(options) => run::run(options),
        Command::Emit(options) => emit::emit(&options),
        Command::Check(options) => run::check(&options),
        Command::Fmt(options) => fmt::fmt(&options),
        Command::Completions { shell } => print_text(|text| {
            clap_complete::generate(shell, &mut Invocation::description(), "kaleidoscope", text);
            Ok(())
        }),
        Command::Man => print_text(man::render),
        Command::Build(options) => build::build(&options),
    };
    exit.now()
}
