//! Commands with an end: each runs in a process group of its own, which is killed at a deadline and
//! when this program ends, by whatever signal.
//!
//! A watcher kills the groups of a program that is gone. It is this program with the chore `watch`,
//! and learns of the groups through a pipe, which closes with the program. A handler of signals
//! could not do that for `SIGKILL`.

use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::steps;

/// The pipe to the watcher, if there is one.
static WATCHER: Mutex<Option<ChildStdin>> = Mutex::new(None);

fn watcher() -> MutexGuard<'static, Option<ChildStdin>> {
    WATCHER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the watcher: from now on, every group ends at the latest with this program.
///
/// # Errors
///
/// When it cannot be started.
pub(crate) fn start_watcher() -> Result<(), String> {
    let message = |error| format!("the watcher cannot be started: {error}");
    let itself = std::env::current_exe().map_err(message)?;
    // In a group of its own, it outlives an interrupt from the keyboard.
    let mut command = Command::new(itself);
    let watching = command.arg("watch").stdin(Stdio::piped()).process_group(0).spawn();
    *watcher() = watching.map_err(message)?.stdin;
    Ok(())
}

/// Tells the watcher that a group began or ended.
fn tell_watcher(change: char, group: Pid) {
    if let Some(pipe) = &mut *watcher() {
        // Without a watcher, the group ends by itself.
        let _ = writeln!(pipe, "{change}{}", group.as_raw_pid());
    }
}

/// The watcher: reads which groups began and ended, and at the end kills those that are left.
pub(crate) fn watch(changes: impl BufRead) {
    let mut running: Vec<Pid> = Vec::new();
    for line in changes.lines().map_while(Result::ok) {
        let Some((change, pid)) = line.split_at_checked(1) else { continue };
        let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) else { continue };
        match change {
            "+" => running.push(pid),
            _ => running.retain(|running| *running != pid),
        }
    }
    running.into_iter().for_each(kill);
}

fn kill(group: Pid) {
    // Fails where the group has ended already.
    let _ = kill_process_group(group, Signal::KILL);
}

/// A process group, killed when this value is dropped.
#[derive(Debug)]
pub(crate) struct Group(Pid);

impl Group {
    /// Starts the command as the leader of a new process group, without standard input.
    ///
    /// # Errors
    ///
    /// When the command cannot be started.
    pub(crate) fn start(command: &mut Command) -> Result<(Self, Child), String> {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", command.get_program().display()))?;
        let pid = Pid::from_child(&child);
        tell_watcher('+', pid);
        Ok((Self(pid), child))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        kill(self.0);
        tell_watcher('-', self.0);
    }
}

/// Runs the command until the deadline.
///
/// # Errors
///
/// When it cannot be started, or was killed at the deadline.
pub(crate) fn run(command: &mut Command, deadline: Option<Instant>) -> Result<ExitStatus, String> {
    let began = Instant::now();
    let (group, mut child) = Group::start(command)?;
    let (ended, end) = channel();
    let waiting = thread::spawn(move || {
        let status = child.wait();
        // The receiver is gone only if the command was killed.
        let _ = ended.send(status);
    });
    let time = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(began));
    let result = match end.recv_timeout(time) {
        Ok(status) => status.map_err(|error| format!("the command cannot be awaited: {error}")),
        Err(RecvTimeoutError::Timeout) => Err(format!("killed after {} s", began.elapsed().as_secs())),
        Err(RecvTimeoutError::Disconnected) => Err("the command cannot be awaited".to_owned()),
    };
    drop(group);
    drop(waiting.join());
    result
}

/// Runs cargo in the project's folder, with further environment variables, until the deadline.
///
/// # Errors
///
/// When cargo cannot be started, fails, or was killed.
pub(crate) fn cargo(
    arguments: &[&str],
    variables: &[(&str, &str)],
    deadline: Option<Instant>,
) -> Result<(), String> {
    let result = run(&mut steps::cargo_command(arguments, variables), deadline);
    let command = || format!("cargo {}", arguments.join(" "));
    match result {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{}: {status}", command())),
        Err(error) => Err(format!("{}: {error}", command())),
    }
}

#[cfg(test)]
mod tests;
