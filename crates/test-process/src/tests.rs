//! Children that end, and children that are ended.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};

use super::{Process, output};

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn a_child_gives_what_it_writes() {
    // More than fits into a pipe, in both directions.
    let input = vec![b'x'; 1 << 20];
    let given = output(&mut sh("cat; echo done >&2; exit 3"), &input);
    assert_eq!(given.status.code(), Some(3));
    assert!(given.stdout == input && given.stderr == b"done\n");
}

#[test]
fn a_child_that_does_not_end_is_killed() {
    let mut endless =
        Process::start_within(Duration::from_millis(50), &mut sh("exec cat /dev/zero >/dev/null"));
    let panic = catch_unwind(AssertUnwindSafe(|| endless.wait()));
    let message = panic.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("did not end in time"), "{message}");
}

#[test]
fn a_child_ends_with_its_value() {
    let process = Process::start(sh("exec cat").stdin(Stdio::piped()).stdout(Stdio::piped()));
    let pid = Pid::from_child(&process.child);
    assert!(test_kill_process(pid).is_ok());
    drop(process);
    assert!(test_kill_process(pid).is_err());
}

#[test]
fn a_child_can_be_interrupted() {
    let mut process =
        Process::start(sh("trap 'exit 7' INT; echo ready; while :; do :; done").stdout(Stdio::piped()));
    let mut ready = [0; 6];
    std::io::Read::read_exact(&mut process.stdout(), &mut ready).unwrap();
    process.interrupt();
    assert_eq!(process.wait().code(), Some(7));
}
