//! Invalid input: the error, the exit code, and the items that still run.

use crate::command::{check, file, path, run, run_with_input};

#[test]
fn unreadable_files_are_errors_of_the_command_line() {
    for (name, reason) in [("/nonexistent/file.kal", "no such file"), ("/", "directory")] {
        let finished = run(&[name, "-e", "1;"]);
        assert_eq!((finished.code, finished.stdout.as_str()), (2, ""), "nothing runs");
        assert!(finished.stderr.contains(name) && finished.stderr.contains(reason), "{}", finished.stderr);
        assert_eq!(run(&["check", name]).code, 2);
        assert_eq!(run(&["emit", "ast", name]).code, 2);
    }
}

#[test]
fn wrong_options_are_errors_of_the_command_line() {
    for args in [
        &["--jit", "sometimes"][..],
        &["-O", "4"],
        &["--no-such-option"],
        &["--keep-going", "--fail-fast", "-e", "1"],
        &["emit", "nonsense", "file"],
        &["check"],
    ] {
        let finished = run(args);
        assert_eq!((finished.code, finished.stdout.as_str()), (2, ""), "{args:?}");
        assert!(!finished.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn an_unwritable_trace_is_an_error_before_anything_runs() {
    let finished = run(&["--trace", "/nonexistent/trace.json", "-e", "printd(1);"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (2, ""));
    assert!(finished.stderr.contains("/nonexistent/trace.json"), "{}", finished.stderr);
}

#[test]
fn invalid_utf8_is_reported_with_its_place() {
    let bytes = b"1; 2;\n \xff\xfe 3; 4;";
    let file = file(bytes);
    let finished = run(&[path(&file)]);
    assert_eq!((finished.code, finished.stdout.as_str()), (1, "1\n2\n"), "{}", finished.stderr);
    for part in ["KLS1008", ":2:2", "0xff"] {
        assert!(finished.stderr.contains(part), "{part} is missing in: {}", finished.stderr);
    }
    // Standard input continues after the item.
    let finished = run_with_input(&[], bytes);
    assert_eq!((finished.code, finished.stdout.as_str()), (1, "1\n2\n4\n"), "{}", finished.stderr);
    // A character cut off by the end of the text.
    let finished = run_with_input(&["--message-format", "json"], b"1; # \xe2\x82");
    assert_eq!((finished.code, finished.stdout.as_str()), (1, "1\n"), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("\"KLS1008\"") && finished.stderr.contains("\"column\":6"),
        "{}",
        finished.stderr
    );
    // A character that arrives in two chunks is valid.
    let finished = run_with_input(&[], "1 # €\n+ 1".as_bytes());
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "2\n"), "{}", finished.stderr);
}

#[test]
fn arbitrary_bytes_are_reported() {
    // All bytes below 128, in an arbitrary order.
    let bytes: Vec<u8> = (0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 & 0x7f).collect();
    let finished = run_with_input(&[], &bytes);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("KLS1"), "{}", finished.stderr);
}

#[test]
fn unfinished_text_is_an_error_at_the_end() {
    for text in ["def f(x", "1 +", "if 1 then 2", "for i = 1, i < 3 in", "var a = ", "def", "f(1,"] {
        let finished = run_with_input(&[], text.as_bytes());
        assert_eq!((finished.code, finished.stdout.as_str()), (1, ""), "{text}");
        assert!(finished.stderr.contains("KLS1"), "{text}: {}", finished.stderr);
    }
}

#[test]
fn huge_numbers_are_read_as_in_c() {
    let digits = "9".repeat(400);
    for (text, values) in [("1e999 < 0; 1e-999", "0\n0\n"), (&format!("{digits}/{digits}"), "nan\n")] {
        let finished = run(&["-e", text]);
        assert_eq!((finished.code, finished.stdout.as_str()), (0, values));
        assert!(finished.stderr.contains("KLS2010"), "{}", finished.stderr);
    }
}

#[test]
fn an_error_stops_a_file_and_not_a_pipe() {
    let text = "1; x; 2;";
    let file = file(text.as_bytes());
    check(&["-e", text], 1, "1\n");
    check(&[path(&file)], 1, "1\n");
    check(&["--keep-going", path(&file)], 1, "1\n2\n");
    let finished = run_with_input(&[], text.as_bytes());
    assert_eq!((finished.code, finished.stdout.as_str()), (1, "1\n2\n"));
    let finished = run_with_input(&["--fail-fast"], text.as_bytes());
    assert_eq!((finished.code, finished.stdout.as_str()), (1, "1\n"));
}

#[test]
fn deep_nesting_and_long_chains_end_quickly() {
    let n = 200_000;
    let chain = format!("{}1", "1+".repeat(1_000_000));
    let deep = [
        format!("{}1{}", "(".repeat(n), ")".repeat(n)),
        format!("{}1", "if 1 then 2 else ".repeat(n)),
        format!("def f(x) x; {}1{}", "f(".repeat(n), ")".repeat(n)),
        format!("def unary!(x) x; {}1", "!".repeat(n)),
        format!("{}1", "var a = 1 in ".repeat(n)),
        format!("{}1", "for i = 1, i < 2 in ".repeat(n)),
        format!("{}1", "2^".repeat(n)),
        format!("def f(x) {}x; f(1)", "x+".repeat(1_000_000)),
        chain,
    ];
    for text in deep {
        let start = std::time::Instant::now();
        let finished = run_with_input(&[], text.as_bytes());
        let (head, took) = (&text[..30], start.elapsed());
        assert!(finished.code == 0 || finished.stderr.contains("KLS"), "{head}: {}", finished.stderr);
        println!("{head}…: code {}, {took:?}", finished.code);
    }
}
