//! One process that runs some tests of a binary, with a time for each test.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::binary::Binary;
use crate::check::Group;

/// How long a process may take. Each of its tests may take 60 s; one that takes longer is a
/// finding, and this ends it.
const LIMIT: Duration = Duration::from_secs(300);

/// How many random programs the tests that make some run.
const RANDOM_PROGRAMS: &str = "20";

/// What came of the tests.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) times: Vec<(String, Duration)>,
    /// What went wrong; the first line in short.
    pub(super) failure: Option<String>,
}

impl Binary {
    /// A command that runs the binary as cargo does.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(arguments).current_dir(&self.folder);
        command.env("CARGO_MANIFEST_DIR", &self.folder).env("RANDOM_PROGRAMS", RANDOM_PROGRAMS);
        command
    }
}

/// Runs the tests, `n_threads` at once.
pub(super) fn run(binary: &Binary, tests: &[&str], n_threads: usize) -> Outcome {
    let threads = format!("--test-threads={n_threads}");
    let mut arguments = vec!["--exact", threads.as_str()];
    arguments.extend(tests);
    let mut command = binary.command(if tests == [""] { &[] } else { &arguments });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());

    let began = Instant::now();
    let (group, mut child) = match Group::start(&mut command) {
        Ok(started) => started,
        Err(error) => return Outcome { failure: Some(error), ..Outcome::default() },
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (ended, end) = channel();
    let output = thread::spawn(move || {
        let mut lines = Vec::new();
        for line in BufReader::new(stdout.expect("it is a pipe")).split(b'\n').map_while(Result::ok) {
            lines.push((String::from_utf8_lossy(&line).into_owned(), began.elapsed()));
        }
        lines
    });
    let complaints = thread::spawn(move || {
        let mut text = Vec::new();
        // What cannot be read is not shown.
        drop(stderr.expect("it is a pipe").read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    });
    let waiting = thread::spawn(move || {
        let status = child.wait();
        // Nothing receives it after a kill.
        let _ = ended.send(());
        status
    });
    let is_late = end.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout);
    // Kills what is left of it, in the first case also.
    drop(group);
    let status = waiting.join().expect("waiting does not panic");
    let time = began.elapsed();
    let lines = output.join().expect("reading does not panic");
    let complaints = complaints.join().expect("reading does not panic");

    let times =
        if tests == [""] { vec![("the program".to_owned(), time)] } else { times(tests, n_threads, &lines) };
    let text = || {
        let lines: Vec<_> = lines.iter().map(|(line, _)| line.as_str()).collect();
        format!("{}\n{complaints}", lines.join("\n"))
    };
    let failure = if is_late {
        let missing: Vec<_> =
            tests.iter().filter(|test| times.iter().all(|(ended, _)| ended != *test)).copied().collect();
        Some(format!("killed after {} s, without {}\n{}", LIMIT.as_secs(), missing.join(" "), text()))
    } else {
        match status {
            Ok(status) if status.success() => None,
            Ok(status) => Some(format!("{status}: {}\n{}", failed(&lines).join(" "), text())),
            Err(error) => Some(error.to_string()),
        }
    };
    Outcome { times, failure }
}

/// The tests of which the lines say that they failed.
fn failed(lines: &[(String, Duration)]) -> Vec<&str> {
    lines
        .iter()
        .filter_map(|(line, _)| Some(line.strip_prefix("test ")?.split_once(" ... FAILED")?.0))
        .collect()
}

/// The time of each test, from the moments at which its end was printed. The test harness starts
/// `n_threads` tests in the order of their names, and the next one when a test has ended.
fn times(tests: &[&str], n_threads: usize, lines: &[(String, Duration)]) -> Vec<(String, Duration)> {
    let mut waiting: Vec<&str> = tests.to_vec();
    waiting.sort_unstable();
    let mut waiting = VecDeque::from(waiting);
    let mut begun: HashMap<&str, Duration> = HashMap::new();
    for _ in 0..n_threads {
        begun.extend(waiting.pop_front().map(|test| (test, Duration::ZERO)));
    }
    let mut times = Vec::new();
    for (line, at) in lines {
        let Some((name, _)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) else {
            continue;
        };
        if let Some(began) = begun.remove(name) {
            times.push((name.to_owned(), at.saturating_sub(began)));
            begun.extend(waiting.pop_front().map(|test| (test, *at)));
        }
    }
    times
}

#[cfg(test)]
mod tests;
