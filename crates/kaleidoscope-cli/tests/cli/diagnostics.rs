//! Diagnostics: codes, places, formats.

use crate::command::{check, file, path, run, run_with_input};
use serde_json::Value;
use std::fs;

#[test]
fn a_diagnostic_has_code_place_and_line() {
    let file = file(b"# first\ndef f(x) x;\n1 + f(1, 2);\n");
    let finished = run(&[path(&file)]);
    assert_eq!(finished.code, 1);
    let place = format!("{}:3:5", path(&file));
    for part in ["KLS2004", &place, "1 + f(1, 2);", "^"] {
        assert!(finished.stderr.contains(part), "{part} is missing in: {}", finished.stderr);
    }
    assert!(!finished.stderr.contains('\x1b'), "no color without a terminal");
}

#[test]
fn json_diagnostics_are_one_object_on_a_line() {
    let finished =
        run(&["--keep-going", "--message-format", "json", "-e", "x;\n  4+;\n 3", "-e", "def f(x) nix(x);"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (1, "3\n"));
    let messages: Vec<Value> =
        finished.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let facts: Vec<_> = messages
        .iter()
        .map(|message| {
            let text = |key: &str| message[key].as_str().unwrap().to_owned();
            (text("code"), text("severity"), message["line"].as_u64(), message["column"].as_u64())
        })
        .collect();
    let expected = [("KLS2001", "error", 1, 1), ("KLS1001", "error", 2, 5), ("KLS2003", "warning", 1, 10)];
    let expected = expected.map(|(code, severity, line, column)| {
        (code.to_owned(), severity.to_owned(), Some(line), Some(column))
    });
    assert_eq!(facts, expected);
    assert_eq!(messages[0]["file"], "<command line>");
}

#[test]
fn a_failed_item_leaves_nothing_behind() {
    check(&["--keep-going", "-e", "def f(x) x + nope; f(1); def f(x) x; f(2);"], 1, "2\n");
    // The operator does not exist, so the item with it fails, and nothing of it is evaluated.
    check(&["--keep-going", "-e", "def binary| 200 (a b) a; 1 | 2; 3"], 1, "3\n");
}

/// An operator that does not exist loses no line, and the message says what exists instead.
#[test]
fn a_missing_operator_is_named() {
    let finished = run_with_input(&[], b"def f(a b) a % b\nf(7, 3)\n8\n");
    assert_eq!((finished.code, finished.stdout.as_str()), (1, "8\n"));
    assert!(finished.stderr.contains("there is no binary operator `%`"), "{}", finished.stderr);
    assert!(finished.stderr.contains("there is no function `f`"), "{}", finished.stderr);
    for (text, message, hint) in [
        ("3 > 2", "there is no binary operator `>`", "the prelude (`--prelude`) has one"),
        ("1 == 1", "there is no binary operator `==`", "the prelude (`--prelude`) has one"),
        ("1 && 1", "there is no binary operator `&&`", "the prelude (`--prelude`) has one"),
        ("5 % 3", "there is no binary operator `%`", "the remainder is `fmod(a, b)`"),
        ("2 ** 3", "there is no binary operator `**`", "the power is `^`"),
        ("1 // 2", "there is no binary operator `//`", "a comment begins with `#`"),
        ("!1", "`!` is not a prefix operator", "the prelude (`--prelude`) has one"),
        ("-1", "`-` is not a prefix operator", "define it with `def unary-(v) 0-v`"),
        ("1 and 2", "a second expression begins here", "the prelude (`--prelude`) has `and`"),
        ("ln(2)", "there is no function `ln`", "the natural logarithm is `log`"),
        ("2 * pi", "there is no variable `pi` here", "the prelude (`--prelude`) has this constant"),
        ("2x", "`2x` is not a number", "to multiply, write `2 * x`"),
        ("2(3+4)", "a second expression begins here", "to multiply, write `*`"),
        ("def binary= 9 (a b) a", "the binary operator `=` is built in", "`=` assigns; to compare"),
    ] {
        let finished = run(&["-e", text]);
        assert!(finished.stderr.contains(message), "{text}: {}", finished.stderr);
        assert!(finished.stderr.contains(hint), "{text}: {}", finished.stderr);
    }
    check(&["--prelude", "-e", "3 > 2; 1 == 1; !1; 0 - -1; 5 % 3"], 0, "1\n1\n0\n1\n2\n");
}

#[test]
fn errors_at_run_time_end_the_item_only() {
    for mode in ["lazy", "eager", "off"] {
        let text = "extern system(x); def f(x) system(x); def g(x) h(x); f(1); g(1); 5;";
        let finished = check(&["--keep-going", "--jit", mode, "-e", text], 1, "5\n");
        for code in ["KLS3003", "KLS3001"] {
            assert!(finished.stderr.contains(code), "{mode}: {}", finished.stderr);
        }
        let text = "def g(x) x; def f(x) g(x); f(1); def g(x y) x; f(1); def g(x) x + 1; f(1);";
        let finished = check(&["--keep-going", "--jit", mode, "-e", text], 1, "1\n2\n");
        assert!(finished.stderr.contains("KLS3002"), "{mode}: {}", finished.stderr);
    }
}

#[test]
fn check_reports_and_runs_nothing() {
    let good = file(b"def f(x) x; printd(f(1));");
    let bad = file(b"printd(1); f(1, 2); x;");
    check(&["check", path(&good)], 0, "");
    let finished = check(&["check", path(&good), path(&bad)], 1, "");
    for code in ["KLS2004", "KLS2001"] {
        assert!(finished.stderr.contains(code), "{}", finished.stderr);
    }
}

/// A definition that failed is the cause of the mistakes in its calls, which name it.
#[test]
fn calls_of_a_failed_definition_name_its_place() {
    let text = "def half(x) x /;\n\
        def binary| 5 (a b) c;\n\
        def quarter(x) half(half(x));\n\
        half(1);\n\
        1 | 2;\n\
        quarter(1);\n\
        def sum(a) a;\n\
        def sum(a b) a + d;\n\
        sum(1, 2);\n\
        def half(x) x / 2;\n\
        quarter(1);\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.kal");
    fs::write(&file, text).unwrap();
    let name = file.to_str().unwrap();
    let checked = run(&["check", name]);
    for mode in ["tiered", "lazy", "eager", "baseline", "off"] {
        let finished = run(&["--keep-going", "--jit", mode, name]);
        assert_eq!((finished.code, &*finished.stdout), (1, "0.25\n"), "{mode}");
        assert!(
            finished.stderr.contains(&format!(
                "error[KLS3001]: `half` was called, and is not defined: its definition at {name}:1 failed"
            )),
            "{mode}: {}",
            finished.stderr
        );
        for finished in [&finished, &checked] {
            for expected in [
                format!("error[KLS2002]: there is no function `half`: its definition at {name}:1 failed"),
                format!(
                    "warning[KLS2003]: the function `half` is not defined: its definition at {name}:1 failed"
                ),
                format!("help: its definition at {name}:2 failed"),
                format!("help: its definition at {name}:8 failed; this is an older one"),
            ] {
                assert!(finished.stderr.contains(&expected), "{mode}: {expected}\n{}", finished.stderr);
            }
        }
    }
}
