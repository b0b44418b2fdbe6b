//! Limits on the resources of the process: what is missing is an error, and no more is taken than
//! needed.

use crate::command::executable;
use std::process::{Command, Output};

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
