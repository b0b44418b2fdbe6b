//! Child processes of tests: each is killed at a deadline, and when the test drops it.
//!
//! A child that hangs fails its test, instead of keeping the test binary from ending. A child that
//! outlives a failed test would disturb the next ones. Children stay in the process group of the
//! test, so that what ends the test from outside ends them, too.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod failing;

pub use failing::{Extent, FailingProgram, Resource, Run};

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// How long a child may take: twice what a whole test may take beside busy processes.
pub const LIMIT: Duration = Duration::from_secs(120);

/// A child process that ends: after [`LIMIT`] at the latest, and when this value is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// The command, for messages.
    command: String,
    /// Ends the watch; gone once the child is.
    watch: Option<(Sender<()>, JoinHandle<bool>)>,
}

impl Process {
    /// Starts the command.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        Self::start_within(LIMIT, command)
    }

    /// The same with another limit.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start_within(limit: Duration, command: &mut Command) -> Self {
        let text = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("{text}: {error}"));
        let pid = Pid::from_child(&child);
        let (end, ended) = channel();
        let watch = thread::spawn(move || {
            let is_late = ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            if is_late {
                // The child is there until the watch has ended.
                kill_process(pid, Signal::KILL).unwrap();
            }
            is_late
        });
        Self { child, command: text, watch: Some((end, watch)) }
    }

    /// The child's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's standard input.
    ///
    /// # Panics
    ///
    /// When the command has no pipe there, or it was taken before.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("standard input is a pipe")
    }

    /// The child's standard output.
    ///
    /// # Panics
    ///
    /// When the command has no pipe there, or it was taken before.
    pub fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("standard output is a pipe")
    }

    /// Sends what Ctrl-C sends.
    ///
    /// # Panics
    ///
    /// When the child is not there any more.
    pub fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Sends SIGTERM.
    ///
    /// # Panics
    ///
    /// When the child is not there any more.
    pub fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Waits until the child ends.
    ///
    /// # Panics
    ///
    /// When the limit is over before.
    pub fn wait(&mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        // The child stays a zombie until the watch has ended, so that the watch kills no other.
        let pid = Pid::from_child(&self.child);
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
        let is_late = self.end_watch();
        let status = self.child.wait().unwrap();
        assert!(!is_late, "{} did not end in time and was killed", self.command);
        status
    }

    /// Writes to the child's standard input, and waits until the child ends. What it writes
    /// meanwhile is read, so that neither waits for the other.
    ///
    /// # Panics
    ///
    /// When the limit is over before.
    #[must_use]
    pub fn output(mut self, input: &[u8]) -> Output {
        let (stdin, stdout) = (self.child.stdin.take(), self.child.stdout.take());
        let stderr = self.child.stderr.take();
        let (stdout, stderr) = thread::scope(|scope| {
            // The child may end without reading everything.
            scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(input)));
            let stderr = scope.spawn(|| stderr.map(read).unwrap_or_default());
            (stdout.map(read).unwrap_or_default(), stderr.join().unwrap())
        });
        Output { status: self.wait(), stdout, stderr }
    }

    /// Ends the watch, and says whether it has killed the child.
    fn end_watch(&mut self) -> bool {
        self.watch.take().is_some_and(|(end, watch)| {
            drop(end);
            watch.join().unwrap()
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.watch.is_some() {
            // A panic is under way, or the test has seen enough.
            let _ = self.child.kill();
            let _ = self.end_watch();
            drop(self.child.wait());
        }
    }
}

/// Runs the command with this standard input, and gives what it writes.
///
/// # Panics
///
/// When it cannot be started, or takes longer than [`LIMIT`].
#[must_use]
pub fn output(command: &mut Command, input: &[u8]) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Process::start(command).output(input)
}

fn read(mut pipe: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).unwrap();
    bytes
}

#[cfg(test)]
mod tests;
