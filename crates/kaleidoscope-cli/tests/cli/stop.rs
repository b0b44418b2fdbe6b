//! Endless programs: stack overflow, time limits, Ctrl-C.

use crate::command::{check, executable};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::io::{BufRead, BufReader, Read};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use test_process::Process;

const MODES: [&str; 3] = ["lazy", "eager", "off"];

#[test]
fn endless_recursion_is_an_error_and_the_next_item_runs() {
    for mode in MODES {
        let text = "def f(x) f(x + 1) + 1; f(1); 9;";
        let finished = check(&["--jit", mode, "--stack", "8", "--keep-going", "-e", text], 1, "9\n");
        assert!(
            finished.stderr.contains("KLS3004") && finished.stderr.contains("`f`"),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn deep_recursion_fits_the_stack() {
    for mode in MODES {
        let text = "def s(n) if n < 1 then 0 else n + s(n - 1); s(1000000);";
        check(&["--jit", mode, "-e", text], 0, "500000500000\n");
    }
}

#[test]
fn the_time_limit_stops_an_item_and_the_next_runs() {
    for mode in MODES {
        // Long enough for `6;` beside busy processes.
        let text = "def f(x) for i = 0, 1 in sin(i); for i = 0, 1 in 0; f(1); 6;";
        let finished = check(&["--jit", mode, "--timeout", "0.3", "--keep-going", "-e", text], 1, "6\n");
        assert_eq!(finished.stderr.matches("KLS3006").count(), 2, "{}", finished.stderr);
    }
}

#[test]
fn control_c_ends_the_run_with_exit_code_130() {
    for mode in MODES {
        let mut command = Command::new(executable());
        command.args(["--jit", mode, "-", "-e", "6"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = Process::start(&mut command);
        let mut stdin = child.stdin();
        let mut stdout = BufReader::new(child.stdout());
        let mut line = String::new();
        std::io::Write::write_all(&mut stdin, b"5;\n").unwrap();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "5\n");
        std::io::Write::write_all(&mut stdin, b"for i = 0, 1 in 0;\n").unwrap();
        // The signal ends the run, whether it arrives while the item runs or before it is read.
        child.interrupt();
        assert_eq!(child.wait().code(), Some(130), "{mode}");
        line.clear();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "", "nothing ran afterwards");
        drop(stdin);
    }
}

/// Programs whose output finds no reader: by the program, by the values of expressions, and by the
/// last value alone.
fn blocked_programs() -> [(&'static str, String); 3] {
    [
        ("printd", "for i = 0, 1 in printd(i);".to_owned()),
        ("values", "1e15;".repeat(20_000)),
        ("last", format!("def p(n) for i = 0, i < n in putchard(46); p({PIPE_BYTES}); 7;")),
    ]
}

/// What a pipe holds.
const PIPE_BYTES: u64 = 65_536;

/// Starts a command whose standard output and standard error are pipes that no one reads.
fn start_unread(mode: &str, text: &str, options: &[&str]) -> (Process, ChildStdout) {
    let mut command = Command::new(executable());
    command.args(["--jit", mode, "-e", text]).args(options);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = Process::start(&mut command);
    let stdout = child.stdout();
    (child, stdout)
}

#[test]
fn control_c_ends_the_command_while_its_output_is_blocked() {
    for mode in ["tiered", "off"] {
        for (what, text) in blocked_programs() {
            let (mut child, stdout) = start_unread(mode, &text, &[]);
            // Pieces of 4 KiB are written as long as they fit.
            while rustix::io::ioctl_fionread(&stdout).unwrap() < PIPE_BYTES - 4095 {
                std::thread::yield_now();
            }
            child.interrupt();
            assert_eq!(child.wait().code(), Some(130), "{mode} {what}");
        }
    }
}

#[test]
fn the_time_limit_ends_the_command_while_its_output_is_blocked() {
    for mode in ["tiered", "off"] {
        for (what, text) in blocked_programs() {
            let (mut child, _stdout) = start_unread(mode, &text, &["--timeout", "1", "--keep-going"]);
            assert_eq!(child.wait().code(), Some(1), "{mode} {what}");
        }
    }
}

/// Starts a command that reads standard input. Returns it with both ends.
fn start_reading(command: &mut Command) -> (Process, ChildStdin, BufReader<ChildStdout>) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = Process::start(command);
    let (stdin, stdout) = (child.stdin(), BufReader::new(child.stdout()));
    (child, stdin, stdout)
}

/// Writes an item, and expects this answer.
fn expect_answer(stdin: &mut ChildStdin, stdout: &mut BufReader<ChildStdout>, item: &str, answer: &str) {
    std::io::Write::write_all(stdin, item.as_bytes()).unwrap();
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, answer);
}

/// Limits the memory of a child to what it has, and less than a thread's stack in addition.
fn refuse_threads(child: &Process) {
    let pages = std::fs::read_to_string(format!("/proc/{}/statm", child.id())).unwrap();
    let n_pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    let limit = n_pages * rustix::param::page_size() as u64 + (1 << 20);
    let pid = Pid::from_raw(child.id() as i32);
    prlimit(pid, Resource::As, Rlimit { current: Some(limit), maximum: Some(limit) }).unwrap();
}

#[test]
fn signals_end_the_command_where_no_thread_can_be_started() {
    for mode in ["baseline", "off"] {
        for is_waiting in [false, true] {
            let mut command = Command::new(executable());
            let (mut child, mut stdin, mut stdout) = start_reading(command.args(["--jit", mode]));
            // What the endless loop needs is there afterwards.
            expect_answer(&mut stdin, &mut stdout, "for i = 0, i < 3 in 0;\n", "0\n");
            refuse_threads(&child);
            if !is_waiting {
                std::io::Write::write_all(&mut stdin, b"for i = 0, 1 in 0;\n").unwrap();
            }
            child.interrupt();
            assert_eq!(child.wait().code(), Some(130), "{mode} {is_waiting}");
        }
    }
}

#[test]
fn sigterm_ends_the_command_with_exit_code_143_and_all_output() {
    for mode in MODES {
        // Within an endless item, and while the command waits for input. What was printed before is
        // written.
        for items in ["printd(6); for i = 0, 1 in 0;\n", "printd(6); \n"] {
            let mut command = Command::new(executable());
            let (mut child, mut stdin, mut stdout) = start_reading(command.args(["--jit", mode, "--quiet"]));
            expect_answer(&mut stdin, &mut stdout, "printd(5);\n", "5\n");
            std::io::Write::write_all(&mut stdin, items.as_bytes()).unwrap();
            child.terminate();
            assert_eq!(child.wait().code(), Some(143), "{mode}");
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            assert!(["", "6\n"].contains(&rest.as_str()), "{rest}");
        }
    }
}

/// A shell starts background jobs with SIGINT ignored, `nohup` and others with more.
#[test]
fn an_ignored_signal_stays_ignored() {
    for (name, send) in [("INT", Process::interrupt as fn(&Process)), ("TERM", Process::terminate)] {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("trap '' {name}; exec \"$0\" --jit off"), executable()]);
        let (mut child, mut stdin, mut stdout) = start_reading(&mut command);
        expect_answer(&mut stdin, &mut stdout, "5;\n", "5\n");
        send(&child);
        expect_answer(&mut stdin, &mut stdout, "for i = 0, i < 100000 in 0; 6;\n", "0\n");
        send(&child);
        expect_answer(&mut stdin, &mut stdout, "", "6\n");
        drop(stdin);
        assert_eq!(child.wait().code(), Some(0), "{name}");
    }
}
