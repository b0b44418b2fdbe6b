//! Commands that end, and commands that do not.

use std::process::Command;
use std::time::{Duration, Instant};

use super::run;

#[test]
fn a_command_that_ends_gives_its_status() {
    let status = run(Command::new("sh").args(["-c", "exit 3"]), None).expect("there is a shell");
    assert_eq!(status.code(), Some(3));
    assert!(run(&mut Command::new("/nonexistent"), None).is_err());
}

#[test]
fn a_command_is_killed_at_its_deadline_with_its_children() {
    let began = Instant::now();
    let mut endless = Command::new("sh");
    endless.args(["-c", "sh -c 'while :; do :; done' & wait"]);
    let result = run(&mut endless, Some(began + Duration::from_millis(50)));
    assert!(result.is_err_and(|error| error.starts_with("killed after")), "the command does not end");
}
