//! Commands with an end: each runs in a process group of its own, which is killed at a deadline and
//! when the user interrupts this program.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::steps;

/// Process groups that run now.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
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
        // Held while the child starts: an interrupt kills all that is running or comes before.
        let mut running = running();
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", command.get_program().display()))?;
        let pid = Pid::from_child(&child);
        running.push(pid);
        Ok((Self(pid), child))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        running().retain(|pid| *pid != self.0);
        // Fails where the group has ended already.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

/// From now on, an interrupt from the keyboard kills the running commands and ends this program.
///
/// # Errors
///
/// When the handler cannot be installed.
pub(crate) fn stop_on_interrupt() -> Result<(), String> {
    let stop = || {
        for pid in running().drain(..) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        std::process::exit(130);
    };
    ctrlc::set_handler(stop).map_err(|error| format!("interrupts cannot be handled: {error}"))
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
