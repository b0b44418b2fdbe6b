//! Runs the command, and checks its output and exit code.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

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
    run_executable(Path::new(executable()), args, input)
}

/// The command as Cargo built it, without the shared object beside it.
pub(crate) const BUILT: &str = env!("CARGO_BIN_EXE_kaleidoscope");

/// The name of the shared object with LLVM.
pub(crate) const PLUGIN: &str = "libkaleidoscope_llvm_plugin.so";

/// The shared object as Cargo built it.
pub(crate) fn built_plugin() -> PathBuf {
    Path::new(BUILT).with_file_name("deps").join(PLUGIN)
}

/// The path of the command as it is installed: with the shared object beside it.
pub(crate) fn executable() -> &'static str {
    static INSTALLED: OnceLock<String> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed");
        fs::create_dir_all(&folder).unwrap();
        let install = |from: &Path, name: &str| {
            // Other tests install at the same time, and run what is there.
            let unfinished = folder.join(format!("{name}.{}", std::process::id()));
            fs::hard_link(from, &unfinished).unwrap();
            fs::rename(&unfinished, folder.join(name)).unwrap();
            // Nothing was renamed if both were the same file.
            drop(fs::remove_file(&unfinished));
        };
        install(&built_plugin(), PLUGIN);
        install(Path::new(BUILT), "kaleidoscope");
        folder.join("kaleidoscope").to_str().unwrap().to_owned()
    })
}

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
