//! Runs the command, and checks its output and exit code.

use std::io::Write;
use std::path::Path;
use std::process::Command;

/// The result of one run.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the command with nothing on standard input.
pub(crate) fn run(args: &[&str]) -> Finished {
    run_with_input(args, b"")
}

/// Runs the command with these bytes on standard input.
pub(crate) fn run_with_input(args: &[&str], input: &[u8]) -> Finished {
    run_executable(Path::new(EXECUTABLE), args, input)
}

/// The path of the command.
pub(crate) const EXECUTABLE: &str = env!("CARGO_BIN_EXE_kaleidoscope");

/// Runs a copy of the command.
pub(crate) fn run_executable(executable: &Path, args: &[&str], input: &[u8]) -> Finished {
    let output = test_process::output(Command::new(executable).args(args), input);
    Finished {
        code: output.status.code().expect("the command was not killed"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the command, and expects this exit code and standard output. After exit code 0, standard
/// error must be empty.
#[track_caller]
pub(crate) fn check(args: &[&str], code: i32, stdout: &str) -> Finished {
    let finished = run(args);
    assert_eq!((finished.code, finished.stdout.as_str()), (code, stdout), "{args:?}: {}", finished.stderr);
    if code == 0 {
        assert_eq!(finished.stderr, "", "{args:?}");
    }
    finished
}

/// A temporary file with this content.
pub(crate) fn file(content: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::with_suffix(".kal").unwrap();
    file.write_all(content).unwrap();
    file
}

/// The path as text.
pub(crate) fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}
