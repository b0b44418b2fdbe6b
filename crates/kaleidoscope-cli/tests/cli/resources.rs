//! Limits on the resources of the process: what is missing is an error, and no more is taken than
//! needed.

use crate::command::{executable, file, path};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use test_process::{Extent, FailingProgram, Process, Resource};

const PROGRAM: &str = "def fib(n) if n < 3 then 1 else fib(n - 1) + fib(n - 2);
    def sum(x) for i = 0, i < 1000 in x = x + sin(i); fib(15); sum(1); 2 ^ 0.5;";
const VALUES: &str = "610\n0\n1.4142135623730951\n";

/// Runs a program under limits, as the shell's `ulimit` sets them.
fn run_limited(limits: &str, mode: &str, program: &str) -> Output {
    let script = format!("ulimit -c 0; {limits}; exec \"$0\" --jit {mode} -e \"$1\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, executable(), program]);
    test_process::output(&mut command, b"")
}

/// All values, or an error: never a panic, and never the end by a signal.
#[track_caller]
fn check_right_or_error(limits: &str, mode: &str) {
    let output = run_limited(limits, mode, PROGRAM);
    let stderr = String::from_utf8(output.stderr).unwrap();
    match output.status.code() {
        Some(0) => assert_eq!(output.stdout, VALUES.as_bytes(), "{limits} {mode}: {stderr}"),
        code => {
            assert_eq!(code, Some(1), "{limits} {mode}: {stderr}");
            assert!(stderr.contains("error") && !stderr.contains("panicked"), "{limits} {mode}: {stderr}");
        }
    }
}

#[test]
fn few_file_descriptors_are_enough_or_an_error() {
    for mode in ["tiered", "lazy", "baseline", "off"] {
        for n in 4..10 {
            check_right_or_error(&format!("ulimit -n {n}"), mode);
        }
    }
}

#[test]
fn little_address_space_is_enough_or_an_error() {
    // With less than that, the system cannot load the executable.
    let loaded = std::fs::metadata(executable()).unwrap().len() / 1024 + 20_000;
    for mode in ["baseline", "off"] {
        for n_kilobytes in (loaded..loaded + 360_000).step_by(40_000) {
            check_right_or_error(&format!("ulimit -v {n_kilobytes}"), mode);
        }
    }
    // The stack of 256 MiB does not fit, and a smaller one does.
    let output = run_limited("ulimit -v 200000", "tiered", PROGRAM);
    assert_eq!(output.stdout, VALUES.as_bytes(), "{output:?}");
}

#[test]
fn code_beyond_the_limit_on_files_is_an_error() {
    for mode in ["tiered", "baseline"] {
        let output = run_limited("ulimit -f 0", mode, "def f(x) x + 1; for i = 0, i < 3 in f(i);");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{mode}: {stderr}");
        assert!(stderr.contains("cannot be compiled"), "{mode}: {stderr}");
        // Code takes as much of the limit as there is code.
        let output = run_limited("ulimit -f 100", mode, PROGRAM);
        assert_eq!(output.stdout, VALUES.as_bytes(), "{mode}: {output:?}");
    }
}

#[test]
fn recursion_in_the_interpreter_ends_where_memory_ends() {
    let output = run_limited("ulimit -d 20000", "off", "def f(x) f(x + 1) + 1; f(1);");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("KLS3004"), "{stderr}");
}

#[test]
fn little_address_space_for_llvm_is_enough_or_an_error() {
    // A compile thread has a stack of a gigabyte. The rest is for LLVM.
    for n_kilobytes in (1_050_000..1_450_000).step_by(10_000) {
        check_right_or_error(&format!("ulimit -v {n_kilobytes}"), "lazy");
    }
}

/// The command with this program, where requests can fail.
fn failing(mode: &str, program: &str) -> FailingProgram {
    FailingProgram::start(Command::new(executable()).args(["--jit", mode, "-e", program]))
}

#[test]
fn requests_that_fail_are_errors() {
    for mode in ["baseline", "off"] {
        let mut program = failing(mode, PROGRAM);
        for (resource, extent) in
            Resource::ALL.into_iter().flat_map(|resource| Extent::BOTH.map(|extent| (resource, extent)))
        {
            // `./check hostile` makes more of them fail, in all modes.
            let n_runs = program.scan(resource, extent, (10, 20), |nth, run| {
                let is_right = run.status.code() == Some(0) && run.stdout == VALUES;
                let is_error = run.status.code() == Some(1) && VALUES.starts_with(&run.stdout);
                assert!(is_right || is_error, "{mode} {resource:?} {nth} {extent:?}: {run:?}");
                // Rust's list of thread-local values does not ask the command's allocator.
                let is_named = run.stderr.contains("error") || run.stderr.contains("memory allocation of");
                assert!(is_right || is_named, "{mode} {resource:?} {nth} {extent:?}: {run:?}");
                assert!(!run.stderr.contains("panicked"), "{mode} {resource:?} {nth} {extent:?}: {run:?}");
            });
            assert!(n_runs > 0, "{mode} {resource:?}");
        }
    }
}

#[test]
fn missing_memory_is_one_sentence_after_the_output_so_far() {
    let mut program = failing("off", &"1;".repeat(50));
    let n_requests = program.run().n_requests;
    let mut lengths = Vec::new();
    for nth in (1..=n_requests).rev().step_by(5) {
        let run = program.run_failing(Resource::Memory, nth, Extent::FromThenOn);
        // The threads of a run do not always make the same requests.
        let is_failing = run.n_requests >= nth;
        assert_eq!(run.status.code(), Some(i32::from(is_failing)), "{nth}: {run:?}");
        if run.stderr == "error: out of memory\n" {
            lengths.push(run.stdout.len());
        }
    }
    // Whole lines, and more of them the later it happens.
    assert!(lengths.is_sorted_by(|one, other| one >= other), "{lengths:?}");
    assert!(lengths.iter().all(|length| length % 2 == 0) && lengths[0] >= 50, "{lengths:?}");
}

#[test]
fn files_without_a_descriptor_are_no_mistake_of_the_command_line() {
    let text = file(b"6;");
    let mut program = FailingProgram::start(Command::new(executable()).args(["--jit", "off", path(&text)]));
    let mut n_failed = 0;
    program.scan(Resource::File, Extent::Once, (u64::MAX, 1), |nth, run| {
        if run.stderr.contains("cannot read") {
            n_failed += 1;
            assert_eq!(run.status.code(), Some(1), "{nth}: {run:?}");
        }
    });
    assert_eq!(n_failed, 1);
}

#[test]
fn an_abort_that_is_not_for_want_of_memory_stays_one() {
    let mut command = Command::new(executable());
    command.args(["--jit", "off"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Process::start(&mut command);
    let (mut stdin, mut stdout) = (child.stdin(), BufReader::new(child.stdout()));
    std::io::Write::write_all(&mut stdin, b"5;\n").unwrap();
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), Signal::ABORT).unwrap();
    assert_eq!(child.wait().signal(), Some(Signal::ABORT.as_raw()));
}

#[test]
fn a_small_stack_is_enough() {
    for mode in ["lazy", "baseline", "off"] {
        for n_kilobytes in [64, 128, 192, 1024] {
            let output = run_limited(&format!("ulimit -s {n_kilobytes}"), mode, PROGRAM);
            assert_eq!(output.stdout, VALUES.as_bytes(), "{n_kilobytes} {mode}: {output:?}");
        }
    }
}

#[test]
fn a_stack_that_does_not_fit_names_its_option() {
    let program = "def f(x) f(x + 1) + 1; f(1);";
    let script = "ulimit -v 200000; exec \"$0\" --jit baseline --stack 256 -e \"$1\"";
    let output = test_process::output(Command::new("sh").args(["-c", script, executable(), program]), b"");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("KLS3013") && stderr.contains("`--stack 256`"), "{stderr}");
}
