//! `--prelude`: the usual operators and names, in every part of the command.

use crate::command::{check, file, path, run};

#[test]
fn the_option_defines_the_usual_operators() {
    let text = "-2^2; 2^3^2; 1/2; 1e-3; 1 == 1 && !(2 <= 1);";
    check(&["--prelude", "-e", text], 0, "-4\n512\n0.5\n0.001\n1\n");
    check(&["--prelude", "--jit", "off", "-e", text], 0, "-4\n512\n0.5\n0.001\n1\n");
    assert_eq!(run(&["-e", "-2^2"]).code, 1);
}

#[test]
fn the_option_adds_the_usual_names() {
    let text =
        "max(1, 3, 2) and not abs(-pi) > tau; clamp(7, 0, 1); var n = 0 in (while n < 5 in n = n + 1) + n;";
    check(&["--prelude", "-e", text], 0, "1\n1\n5\n");
    check(&["--prelude", "--jit", "off", "-e", text], 0, "1\n1\n5\n");
}

#[test]
fn emit_and_check_know_the_usual_operators() {
    let program = file(b"def positive(x) x > 0 || x == 0;");
    check(&["check", "--prelude", path(&program)], 0, "");
    assert_eq!(run(&["check", path(&program)]).code, 1);
    let emitted = run(&["emit", "ast", "--prelude", path(&program)]);
    assert_eq!(emitted.code, 0, "{}", emitted.stderr);
    assert!(emitted.stdout.contains("||") && !emitted.stdout.contains("unary"), "{}", emitted.stdout);
}
