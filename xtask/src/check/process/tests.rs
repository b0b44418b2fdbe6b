//! Commands that end, and commands that do not.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::{Group, run, watch};

#[test]
fn a_command_that_ends_gives_its_status() {
    let status = run(Command::new("sh").args(["-c", "exit 3"]), None).expect("there is a shell");
    assert_eq!(status.code(), Some(3));
    assert!(run(&mut Command::new("/nonexistent"), None).is_err());
}

#[test]
fn the_watcher_kills_what_is_left() {
    let mut endless = Command::new("sh");
    let start = |endless: &mut Command| Group::start(endless.args(["-c", "while :; do :; done"]));
    let (left, mut child) = start(&mut endless).expect("there is a shell");
    let (ended, mut other) = start(&mut endless).expect("there is a shell");
    let [left_pid, ended_pid] = [&child, &other].map(|child| Pid::from_child(child).as_raw_pid());
    watch(format!("+{left_pid}\n+{ended_pid}\n-{ended_pid}\n").as_bytes());
    assert!(!child.wait().expect("it is a child").success());
    assert!(other.try_wait().expect("it is a child").is_none(), "it was killed");
    drop((left, ended));
    other.wait().expect("it is a child");
}

#[test]
fn a_command_is_killed_at_its_deadline_with_its_children() {
    let began = Instant::now();
    let mut endless = Command::new("sh");
    endless.args(["-c", "sh -c 'while :; do :; done' & wait"]);
    let result = run(&mut endless, Some(began + Duration::from_millis(50)));
    assert!(result.is_err_and(|error| error.starts_with("killed after")), "the command does not end");
}
