//! Programs whose nth request for a resource fails, for each n.
//!
//! SQLite tests itself so: it makes the nth allocation fail, for each n, until a run has no failure
//! any more. What this module makes fail is memory, mappings, threads and files, in any program
//! that the C library starts. The program runs in the children of a server ([`FailingProgram`]),
//! which `failing/failing.c` has in the place of the program's `main`.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::Process;

/// How long all runs of a program may take together. Each run is ended after a minute.
const LIMIT: Duration = Duration::from_secs(86_400);

/// What a program asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Memory of the C library: `malloc` and its relatives.
    Memory,
    /// Mappings and the end of the heap: `mmap`, `mremap`, `mprotect`, `brk`.
    Mapping,
    /// Threads.
    Thread,
    /// File descriptors: files, files in memory, sockets, pipes.
    File,
}

impl Resource {
    /// All resources.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Mapping, Self::Thread, Self::File];

    /// The name in the requests to the server, and in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Mapping => "mapping",
            Self::Thread => "thread",
            Self::File => "file",
        }
    }
}

/// How many requests fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The nth one.
    Once,
    /// The nth one and all that follow.
    FromThenOn,
}

impl Extent {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Once, Self::FromThenOn];
}

/// How a run ended, and what it wrote.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended. A run that hangs ends by SIGALRM.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// How many requests for the resource there were.
    pub n_requests: u64,
}

/// A program that runs again and again, each time with another failure.
#[derive(Debug)]
pub struct FailingProgram {
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    folder: TempDir,
    _server: Process,
}

impl FailingProgram {
    /// Starts the server of this program.
    ///
    /// # Panics
    ///
    /// When there is no C compiler, or the program cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = build(folder.path());
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| create(&folder.path().join(name)));
        command.env("LD_PRELOAD", library).env("FAILING_STDOUT", stdout).env("FAILING_STDERR", stderr);
        // A backtrace needs more memory than the program.
        command.env_remove("RUST_BACKTRACE");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = Process::start_within(LIMIT, command);
        let (requests, answers) = (server.stdin(), BufReader::new(server.stdout()));
        Self { requests, answers, folder, _server: server }
    }

    /// Runs the program without a failure.
    pub fn run(&mut self) -> Run {
        self.request(Resource::Memory, 0, 0)
    }

    /// Runs the program with a failure of the nth request, counted from 1.
    pub fn run_failing(&mut self, resource: Resource, nth: u64, extent: Extent) -> Run {
        let n_failures = match extent {
            Extent::Once => 1,
            Extent::FromThenOn => i64::MAX as u64,
        };
        self.request(resource, nth, n_failures)
    }

    /// Runs the program with a failure of the nth request, for each n until a run has no failure
    /// any more: the first `n_dense` ones, and one in `step` of the others. Returns the number of
    /// runs.
    pub fn scan(
        &mut self,
        resource: Resource,
        extent: Extent,
        (n_dense, step): (u64, u64),
        mut check: impl FnMut(u64, &Run),
    ) -> u64 {
        let mut nth = 1;
        let mut n_runs = 0;
        loop {
            let run = self.run_failing(resource, nth, extent);
            if run.n_requests < nth {
                return n_runs;
            }
            check(nth, &run);
            n_runs += 1;
            nth += if nth < n_dense { 1 } else { step };
        }
    }

    fn request(&mut self, resource: Resource, first: u64, n_failures: u64) -> Run {
        writeln!(self.requests, "{} {first} {n_failures}", resource.name()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let numbers = answer.trim().split_once(' ');
        let (status, n_requests) = numbers.expect("the server answers until it is dropped");
        Run {
            status: ExitStatus::from_raw(status.parse().unwrap()),
            stdout: self.read("stdout"),
            stderr: self.read("stderr"),
            n_requests: n_requests.parse().unwrap(),
        }
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.folder.path().join(name)).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn create(path: &Path) -> PathBuf {
    fs::write(path, "").unwrap();
    path.to_owned()
}

/// Compiles the server.
fn build(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/failing/failing.c");
    let library = folder.join("failing.so");
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"]);
    let output = crate::output(compiler.arg(&library).arg(source), b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}
