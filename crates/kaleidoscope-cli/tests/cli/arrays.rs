//! `--array`: arrays of zeros and of the numbers in files, in every part of the command.

use crate::command::{check, file, path, run};

#[test]
fn arrays_are_zeros_or_the_numbers_of_a_file() {
    let numbers = file(b"1.5, 2\n\n-3\r\n1e2");
    let of_file = format!("u={}", path(&numbers));
    let text = "u(0); u(3); v(9); v(9) = u(2); v(9); u(1) + v(0);";
    for mode in ["tiered", "baseline", "off"] {
        let args = ["--array", &of_file, "--array=v=10", "--jit", mode, "-e", text];
        check(&args, 0, "1.5\n100\n0\n-3\n-3\n2\n");
    }
    let beyond = run(&["--array", "u=3", "-e", "def f(i) u(i); f(3);"]);
    assert_eq!(beyond.code, 1);
    let message = "error[KLS3014]: index out of range in `f`: `u` has 3 elements, the index is 3";
    assert!(beyond.stderr.contains(message), "{}", beyond.stderr);
}

#[test]
fn emit_and_check_know_the_arrays() {
    let program = file(b"def set(i x) cells(i) = x;");
    check(&["check", "--array", "cells=5", path(&program)], 0, "");
    assert_eq!(run(&["check", path(&program)]).code, 1);
    let emitted = run(&["emit", "ir", "--array", "cells=5", path(&program)]);
    assert_eq!(emitted.code, 0, "{}", emitted.stderr);
    assert!(emitted.stdout.contains("set_element cells#0"), "{}", emitted.stdout);
}

#[test]
fn wrong_arrays_are_errors_of_the_command_line() {
    let words = file(b"1\n2, three\n");
    let of_words = format!("u={}", path(&words));
    for (argument, message) in [
        ("u", "expected NAME=LENGTH or NAME=FILE"),
        ("2u=3", "`2u` is not a name"),
        ("u=/does/not/exist", "cannot read /does/not/exist: "),
        (&of_words, "line 2: `three` is not a number"),
        ("sin=3", "`sin` is a function, so no array can have this name"),
    ] {
        let refused = run(&["--array", argument, "-e", "1"]);
        assert_eq!((refused.code, &*refused.stdout), (2, ""), "{argument}");
        assert!(refused.stderr.contains(message), "{argument}: {}", refused.stderr);
    }
    let twice = run(&["--array", "u=3", "--array", "u=4", "-e", "1"]);
    assert_eq!(twice.code, 2);
    assert!(
        twice.stderr.contains("`u` is an array, so no other array can have this name"),
        "{}",
        twice.stderr
    );
}
