//! Standard output: what is printed there, and when.

use crate::command::{check, executable, file, path, run, run_with_input};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use test_process::Process;

#[test]
fn each_value_is_on_its_own_line() {
    check(&["-e", "1; 2; 3; 0.1; 1e16; 0/0 < 1; 1/0;"], 0, "1\n2\n3\n0.1\n1e16\n1\ninf\n");
}

#[test]
fn quiet_prints_program_output_only() {
    check(&["-q", "-e", "1; printd(2); 3;"], 0, "2\n");
}

#[test]
fn a_line_that_the_program_left_open_is_ended_before_a_value() {
    check(&["-e", "putchard(65);"], 0, "A\n0\n");
    check(&["-e", "putchard(65); putchard(10); 7"], 0, "A\n0\n\n0\n7\n");
    check(&["-q", "-e", "putchard(65)"], 0, "A");
}

#[test]
fn bytes_are_written_as_they_are() {
    let output = |args: &[&str]| {
        let mut command = Command::new(executable());
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = Process::start(&mut command).output(b"");
        (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    let text = "putchard(226) + putchard(150) + putchard(145)";
    let (bytes, characters) = ("\u{2591}\n0\n".as_bytes(), "\u{e2}\u{96}\u{91}\n0\n".as_bytes());
    assert_eq!(output(&["-e", text]).1, characters);
    assert_eq!(output(&["--putchard", "characters", "-e", text]).1, characters);
    assert_eq!(output(&["--putchard=bytes", "-e", text]).1, bytes);
    assert_eq!(output(&["-e", &text.replace("chard", "byte")]).1, bytes);
    assert_eq!(output(&["-q", "-e", "putbyte(255) + putbyte(0)"]).1, [255, 0]);
    for (args, name) in
        [(&["-e", "putbyte(256)"][..], "putbyte"), (&["--putchard=bytes", "-e", "putchard(256)"], "putchard")]
    {
        let (code, stdout, stderr) = output(args);
        assert_eq!((code, &*stdout), (Some(1), &b""[..]));
        assert!(stderr.contains(&format!("`{name}` failed: 256 is not the value of a byte")), "{stderr}");
    }
}

#[test]
fn texts_run_after_files_in_one_session() {
    let file = file(b"def f(x) x + 1; f(1);");
    check(&["-e", "f(10);", "-e", "f(20)", path(&file)], 0, "2\n11\n21\n");
    check(&["run", path(&file), path(&file)], 0, "2\n2\n");
}

#[test]
fn output_does_not_depend_on_mode_and_optimization() {
    let text = "def fib(n) if n < 2 then n else fib(n-1) + fib(n-2); fib(15); for i = 0, i < 2 in printd(i);";
    for mode in ["lazy", "eager", "off"] {
        for level in ["0", "1", "2", "3"] {
            check(&["--jit", mode, "-O", level, "-e", text], 0, "610\n0\n1\n2\n0\n");
        }
    }
}

#[test]
fn items_of_a_pipe_run_as_they_arrive() {
    let mut child = Process::start(Command::new(executable()).stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut stdin = child.stdin();
    let mut stdout = BufReader::new(child.stdout());
    let mut answer = |question: &str| {
        stdin.write_all(question.as_bytes()).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(answer("1+2;\n"), "3\n");
    assert_eq!(answer("def f(x)\n x * 2;\nf(4);\n"), "8\n");
    drop(stdin);
    assert!(child.wait().success());
}

#[test]
fn a_closed_pipe_ends_the_run_without_an_error() {
    let mut command = Command::new(executable());
    command.args(["-e", "for i = 0, i < 1e6 in printd(i); 1;"]);
    let mut child = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let mut first = [0; 2];
    child.stdout().read_exact(&mut first).unwrap();
    let output = child.output(b"");
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let many = "1;".repeat(40_000);
    let file = crate::command::file(many.as_bytes());
    for args in [&["-e", "1;"][..], &["-e", "printd(1); 2"], &[path(&file)], &["emit", "ir", path(&file)]] {
        let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(executable());
        command.args(args).stdout(full()).stderr(Stdio::piped());
        let output = Process::start(&mut command).output(b"");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("standard output"), "{args:?}");
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(executable());
    let child = Process::start(command.stdin(Stdio::piped()).stdout(full).stderr(Stdio::null()));
    assert_eq!(child.output(b"1;2;").status.code(), Some(1));
}

#[test]
fn without_a_file_standard_input_runs() {
    let finished = run_with_input(&[], b"1+1");
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "2\n"));
    let finished = run_with_input(&["-"], b"1+1");
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "2\n"));
    let finished = run_with_input(&["-e", "7"], b"1+1");
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "7\n"));
}

#[test]
fn help_and_version_are_printed() {
    for args in [["--help"], ["--version"]] {
        let finished = run(&args);
        assert_eq!(finished.code, 0);
        assert!(finished.stdout.contains("kaleidoscope"));
    }
}

#[test]
fn a_closed_standard_output_is_an_error() {
    for arguments in ["-e '1;'", "-e 'printd(1);' -q", "emit ir examples.k"] {
        let script = format!("exec {} {arguments} >&-", executable());
        let mut command = Command::new("sh");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("examples.k"), "1;").unwrap();
        command.current_dir(folder.path()).args(["-c", &script]);
        let output = test_process::output(&mut command, b"");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments}: {stderr}");
        assert!(stderr.contains("cannot write to standard output: it is closed"), "{arguments}: {stderr}");
    }
    // A program without output needs none.
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {} -q -e '1;' >&-", executable())]);
    assert_eq!(Process::start(&mut command).wait().code(), Some(0));
}
