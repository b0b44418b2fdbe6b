//! `emit`: every kind shows something of the program.

use crate::command::{file, path, run};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

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

/// The JSON objects that `emit` prints, one a line.
#[track_caller]
fn objects(kind: &str) -> Vec<Value> {
    let file = file(PROGRAM);
    let finished = run(&["emit", kind, "--format", "json", path(&file)]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn json_has_one_object_on_a_line() {
    let tokens = objects("tokens");
    assert_eq!((&tokens[1]["kind"], &tokens[1]["text"]), (&"identifier".into(), &"f".into()));
    assert_eq!((&tokens[1]["line"], &tokens[1]["column"]), (&1.into(), &5.into()));
    let trees = objects("ast");
    assert_eq!(trees.len(), 3);
    assert_eq!(trees[0]["item"], "f");
    assert_eq!(
        trees[0]["nodes"][1],
        json!({
            "id": 1, "kind": "binary", "text": "+", "parts": [2, 5],
            "line": 1, "column": 10, "end_line": 1, "end_column": 20,
        })
    );
    let flows = objects("ir");
    assert_eq!(flows[2]["blocks"][0]["operations"][0], "number 4");
    assert_eq!(flows[2]["blocks"][0]["edges"], json!([]));
}

/// Every name and operator of the program is text in the picture, and no markup.
#[test]
fn pictures_are_documents_of_their_own() {
    let text = b"def binary& 5 (a b) if a then b else 0;\n\
        def count(n) if n < 1 then 0 else count(n - 1);\n\
        for i = 1, i < 3 in i & count(i);\n";
    let file = file(text);
    for kind in ["ast", "ir"] {
        let finished = run(&["emit", kind, "--format", "svg", path(&file)]);
        assert_eq!((finished.code, &*finished.stderr), (0, ""));
        let picture = finished.stdout;
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{picture}");
        // A reader of XML takes it: all elements end, and every `&` begins a reference.
        let n_open = picture.matches("<text").count();
        assert!(n_open > 5 && n_open == picture.matches("</text>").count(), "{picture}");
        let rest = picture.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").replace("&quot;", "");
        assert!(!rest.contains('&'), "{rest}");
        assert!(!picture.contains("NaN"), "{picture}");
        let finished = run(&["emit", kind, "--format", "dot", path(&file)]);
        assert!(finished.stdout.starts_with("digraph {\n") && finished.stdout.contains(" -> n0_"));
    }
    for (kind, format) in [("tokens", "svg"), ("asm", "json"), ("llvm", "dot")] {
        assert_eq!(run(&["emit", kind, "--format", format, path(&file)]).code, 2, "{kind} {format}");
    }
}

#[test]
fn a_picture_has_a_limit() {
    let file = file(format!("{}1;", "1+".repeat(5000)).as_bytes());
    let finished = run(&["emit", "ast", "--format", "svg", path(&file)]);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("a picture of 10001 nodes is too large"), "{}", finished.stderr);
    // Without a limit, a deep tree needs no deep recursion.
    let file = crate::command::file(format!("{}1;", "1^".repeat(5000)).as_bytes());
    for format in ["json", "dot"] {
        assert_eq!(run(&["emit", "ast", "--format", format, path(&file)]).code, 0);
    }
}

/// Checks that a program reads what the command prints.
#[track_caller]
fn check_read(file: &Path, kind: &str, program: &str, args: &[&str]) {
    // The first comment of an example shows its arrays.
    let text = fs::read_to_string(file).unwrap();
    let comment = text.lines().take_while(|line| line.starts_with('#'));
    let words: Vec<_> = comment.flat_map(str::split_whitespace).collect();
    let arrays = words.windows(2).filter(|words| words[0] == "--array").flatten().copied();
    let emit: Vec<_> = ["emit", kind, file.to_str().unwrap()].into_iter().chain(arrays).collect();
    let finished = run(&emit);
    assert_eq!((finished.code, &*finished.stderr), (0, ""));
    let output = test_process::output(Command::new(program).args(args), finished.stdout.as_bytes());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {program}: {stderr}\n{}", file.display(), finished.stdout);
}

#[test]
fn a_whole_program_is_a_module() {
    let text = b"def unary!(x) if x then 0 else 1;\n\
        def fib(n) if n < 3 then 1 else fib(n - 1) + fib(n - 2);\n\
        def long(n) var sum = 0 in (for i = 1, i < n in sum = sum + sin(i) ^ 2.5 + !i) + sum;\n\
        fib(10) + long(7);\n\
        for i = 1, i < 3 in printd(fib(i));\n";
    let file = file(text);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let examples = fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path());
    let examples: Vec<_> =
        examples.filter(|path| path.extension().is_some_and(|extension| extension == "kal")).collect();
    assert!(examples.len() > 5);
    for file in examples.iter().map(|path| &**path).chain([file.path()]) {
        check_read(file, "llvm", "/usr/lib/llvm-22/bin/opt", &["-passes=verify", "-disable-output", "-"]);
        check_read(file, "asm", "cc", &["-c", "-x", "assembler", "-o", "/dev/null", "-"]);
    }
}
