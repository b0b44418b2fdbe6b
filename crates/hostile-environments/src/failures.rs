//! The nth request for memory, a mapping, a thread or a file fails, for each n: once, or from then
//! on, in the library and in the command.
//!
//! Each run gives what it gives without a failure, or an error. Where memory is missing, a library
//! cannot always return one. Then the process ends with one of a few sentences ([`ENDS`]), the
//! command's with exit code 1. A crash, a hang, a panic and another value are wrong.

use crate::cell::MODES;
use crate::parallel;
use crate::program::{PROGRAMS, Program};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use test_process::{Extent, FailingProgram, Resource, Run};

/// How a process ends where no error can be returned.
const ENDS: &[&str] = &[
    // The allocator of the command, and that of the shared object with LLVM.
    "error: out of memory\n",
    // LLVM.
    "error: out of memory in LLVM, which cannot continue\n",
    // Rust, by the allocator of the host, and for the values of a thread.
    "memory allocation of ",
    // Rust, at the start of a thread, if the host's `main` is Rust's.
    "failed to allocate an alternative stack: ",
    "failed to set up alternative stack guard page: ",
    // The C library, for the destructors of a thread's values.
    "Fatal glibc error: failed to register TLS destructor: out of memory\n",
];

/// How the loader ends a process, with exit code 127, if there is no memory for the values that a
/// thread has of a shared object.
const LOADER_END: &str = "cannot allocate memory for thread-local data: ABORT\n";

/// The first requests for a resource, each of which fails in a run. Of the others, about as many
/// do, at equal distances.
const N_DENSE: u64 = 50;

/// Who runs a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    /// A program in Rust, with the library: this one.
    Library,
    /// The command beside this program.
    Command,
}

/// A program in one mode, in one host.
struct Subject {
    host: Host,
    mode: &'static str,
    program: &'static Program,
}

impl Subject {
    fn command(&self) -> Command {
        let own = std::env::current_exe().expect("this program has a path");
        match self.host {
            Host::Library => {
                let mut command = Command::new(own);
                command.args(["failing", self.mode, self.program.name]);
                command
            }
            Host::Command => {
                let mut command = Command::new(own.with_file_name("kaleidoscope"));
                command.args(["--jit", self.mode, "--stack", "1", "-e", &self.program.text()]);
                if self.program.name == "loop" {
                    command.args(["--timeout", "0.02"]);
                }
                command
            }
        }
    }

    /// What is wrong with a run, if anything, compared with one without a failure.
    fn fault(&self, clean: &Run, run: &Run) -> Option<&'static str> {
        let is_end = ENDS.iter().any(|end| run.stderr.contains(end));
        match (run.status.code(), self.host) {
            (Some(127), _) if run.stderr == LOADER_END => None,
            (Some(0), Host::Library) => self.program.fault(run.stdout.trim()),
            (None, Host::Library) if run.status.signal() == Some(libc::SIGABRT) && is_end => None,
            (Some(0 | 1), Host::Command) if run.stderr.contains("panicked") => Some("it panicked"),
            (Some(0), Host::Command) if clean.status.success() && run.stdout == clean.stdout => None,
            (Some(1), Host::Command) if !is_subsequence(&run.stdout, &clean.stdout) => Some("another value"),
            (Some(1), Host::Command) if is_end || run.stderr.starts_with("error") => None,
            _ => Some("it ends otherwise"),
        }
    }

    /// Runs the program with each failure. Returns the number of runs and what was wrong.
    fn check(&self, step: Option<u64>) -> (u64, Vec<String>) {
        let mut program = FailingProgram::start(&mut self.command());
        let clean = program.run();
        let mut faults = Vec::new();
        let mut note = |what: &str, run: &Run| {
            if let Some(fault) = self.fault(&clean, run) {
                let Self { host, mode, program } = self;
                let Run { status, stdout, stderr, .. } = run;
                let name = program.name;
                faults
                    .push(format!("{host:?} {mode} {name}, {what}: {fault}: {status} {stdout:?} {stderr:?}"));
            }
        };
        note("no failure", &clean);
        let mut n_runs = 1;
        for resource in Resource::ALL {
            let n_requests = program.run_failing(resource, u64::MAX >> 1, Extent::Once).n_requests;
            let step = step.unwrap_or(n_requests / N_DENSE).max(1);
            for extent in Extent::BOTH {
                n_runs += program.scan(resource, extent, (N_DENSE, step), |nth, run| {
                    note(&format!("{} {nth} {extent:?}", resource.name()), run);
                });
            }
        }
        (n_runs, faults)
    }
}

/// Whether the lines are some of these lines, in order.
fn is_subsequence(lines: &str, of: &str) -> bool {
    let mut rest = of.lines();
    lines.lines().all(|line| rest.any(|other| other == line))
}

/// Runs every program in every mode, in both hosts. If there is a `step`, it is the distance
/// between the requests that fail, after the first ones.
pub(crate) fn check(step: Option<u64>) -> ExitCode {
    let command: PathBuf =
        Subject { host: Host::Command, mode: "off", program: &PROGRAMS[0] }.command().get_program().into();
    if !command.is_file() {
        println!(
            "{} is missing: cargo build -p kaleidoscope-cli -p kaleidoscope-llvm-plugin",
            command.display()
        );
        return ExitCode::FAILURE;
    }
    let subjects: Vec<Subject> = [Host::Library, Host::Command]
        .into_iter()
        .flat_map(|host| MODES.iter().map(move |mode| (host, mode.0)))
        .flat_map(|(host, mode)| PROGRAMS.iter().map(move |program| Subject { host, mode, program }))
        .collect();
    let checked = parallel::map(&subjects, |subject| subject.check(step));
    let n_runs: u64 = checked.iter().map(|(n_runs, _)| n_runs).sum();
    let faults: Vec<&String> = checked.iter().flat_map(|(_, faults)| faults).collect();
    for fault in &faults {
        println!("{fault}");
    }
    println!("{n_runs} runs, {} faults", faults.len());
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
