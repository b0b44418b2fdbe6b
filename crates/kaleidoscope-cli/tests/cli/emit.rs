//! `emit`: every kind shows something of the program.

use crate::command::{file, path, run};

const PROGRAM: &[u8] = b"def f(x) x*x + g(x);\ndef g(y) sqrt(y);\nf(4);\n";

#[track_caller]
fn check(kind: &str, more: &[&str], parts: &[&str], absent: &[&str]) {
    let file = file(PROGRAM);
    let args: Vec<_> = ["emit", kind].iter().chain(more).copied().chain([path(&file)]).collect();
    let finished = run(&args);
    assert_eq!((finished.code, finished.stderr.contains("error")), (0, false), "{}", finished.stderr);
    for part in parts {
        assert!(finished.stdout.contains(part), "{kind}: {part} is missing in:\n{}", finished.stdout);
    }
    for part in absent {
        assert!(!finished.stdout.contains(part), "{kind}: {part} is in:\n{}", finished.stdout);
    }
}

#[test]
fn tokens_and_trees() {
    check("tokens", &[], &["def", "identifier", "sqrt"], &[]);
    check("ast", &[], &["f", "sqrt", "x"], &[]);
    check("ir", &[], &["f", "call", "$expr1"], &[]);
}

#[test]
fn code_has_names_and_not_addresses() {
    check(
        "llvm",
        &[],
        &["define double @\"f$impl1\"(double", "@\"g$slot\"", "@llvm.sqrt.f64"],
        &["inttoptr"],
    );
    check("asm", &[], &["f$impl1", "sqrtsd"], &[]);
}

#[test]
fn one_function_can_be_chosen() {
    check("llvm", &["--function", "g"], &["g$impl1"], &["f$impl1", "$expr1"]);
    check("ir", &["--function", "f"], &["f"], &["$expr1"]);
    let file = file(PROGRAM);
    let finished = run(&["emit", "llvm", "--function", "nope", path(&file)]);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("nope"), "{}", finished.stderr);
}

#[test]
fn mistakes_are_reported() {
    let file = file(b"1 + ; f(x);");
    let finished = run(&["emit", "ast", path(&file)]);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("KLS1001"), "{}", finished.stderr);
}
