//! Parameters of scripts, numbers on standard input, completions and the manual page.

use crate::command::{run, run_with_input};

#[test]
fn parameters_are_host_variables() {
    let finished = run(&["-e", "x * 2; arg1 + arg2; n_args", "--arg", "x=1.5", "--", "-3", "4e2"]);
    assert_eq!((finished.code, &*finished.stdout), (0, "3\n397\n2\n"), "{}", finished.stderr);
    assert_eq!(run(&["-e", "n_args"]).stdout, "0\n");
    for bad in [["--arg", "x"], ["--arg", "1=2"], ["--arg", "x=y"], ["--", "file.kal"]] {
        let finished = run(&[&["-e", "1"], &bad[..]].concat());
        assert_eq!(finished.code, 2, "{bad:?}: {}", finished.stderr);
    }
}

#[test]
fn numbers_that_seem_to_be_files_get_a_hint() {
    for command in ["run", "check"] {
        let finished = run(&[command, "-", "5"]);
        assert_eq!(finished.code, 2);
        assert!(
            finished.stderr.contains("cannot read 5: no such file; numbers for the program follow `--`"),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn check_and_emit_know_the_parameters() {
    let text = b"def f(x) x * rate + arg1 + n_args;";
    let parameters = ["--arg", "rate=2", "--", "7"];
    let finished = run_with_input(&[&["check", "-"], &parameters[..]].concat(), text);
    assert_eq!((finished.code, &*finished.stderr), (0, ""));
    let finished = run_with_input(&[&["emit", "ir", "-"], &parameters[..]].concat(), text);
    assert!(finished.code == 0 && finished.stdout.contains("rate"), "{finished:?}");
    assert_eq!(run_with_input(&["check", "-"], text).code, 1);
}

#[test]
fn numbers_are_read_from_standard_input() {
    let text = "readd() + readd(); readd(); readd(); 7;";
    let finished = run_with_input(&["--keep-going", "-e", text], b"1.5, 2\n-4 word");
    assert_eq!((finished.code, &*finished.stdout), (1, "3.5\n-4\n7\n"), "{}", finished.stderr);
    assert!(finished.stderr.contains("KLS3007") && finished.stderr.contains("`word`"), "{}", finished.stderr);
    let finished = run_with_input(&[], b"readd();");
    assert!(finished.stderr.contains("standard input is the program"), "{}", finished.stderr);
}

#[test]
fn a_first_line_may_name_the_command() {
    let finished = run_with_input(&["-"], b"#!/usr/bin/env kaleidoscope\n1 + 1;\n");
    assert_eq!((finished.code, &*finished.stdout), (0, "2\n"));
}

#[test]
fn completions_and_the_manual_page_are_printed() {
    let completions = run(&["completions", "bash"]);
    assert!(completions.code == 0 && completions.stdout.contains("--timeout"));
    let manual = run(&["man"]);
    assert!(manual.code == 0 && manual.stdout.contains(".TH kaleidoscope 1"), "{}", manual.stdout);
    let plain = manual.stdout.replace('\\', "");
    for part in ["[--jit MODE]", "[--stats[=FORMAT]]", "[-q|--quiet]", "[FILE]... [-- NUMBER...]"] {
        assert!(plain.contains(part), "{part} is missing in {plain}");
    }
}
