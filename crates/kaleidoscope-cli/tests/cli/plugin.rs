//! The shared object with LLVM: missing, invalid, and found beside the executable.

use crate::command::{EXECUTABLE, Finished, run_executable};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A program with a hot loop, and its value.
const HOT: [&str; 2] = ["-e", "def f(x) x + 1; var s = 0 in (for i = 0, i < 3000000 in s = f(s)) + s;"];
const VALUE: &str = "3000001\n";

/// A copy of the command in its own folder.
fn copy_of_command() -> (TempDir, PathBuf) {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let executable = folder.path().join("kaleidoscope");
    fs::hard_link(EXECUTABLE, &executable).unwrap();
    (folder, executable)
}

fn run(executable: &Path, args: &[&str]) -> Finished {
    run_executable(executable, &[args, &HOT].concat(), b"")
}

#[test]
fn without_llvm_hot_code_stays_in_the_baseline_tier() {
    let (_folder, executable) = copy_of_command();
    for args in [&[][..], &["--jit", "tiered"], &["--jit", "baseline"], &["--jit", "off"]] {
        let finished = run(&executable, args);
        assert_eq!(
            (finished.code, finished.stdout.as_str(), finished.stderr.as_str()),
            (0, VALUE, ""),
            "{args:?}"
        );
    }
    for mode in ["lazy", "eager"] {
        let finished = run(&executable, &["--jit", mode]);
        assert_eq!((finished.code, finished.stdout.as_str()), (2, ""));
        let names_it = finished.stderr.contains("libkaleidoscope_llvm_plugin.so is missing: build it with");
        assert!(names_it, "{}", finished.stderr);
    }
}

#[test]
fn an_invalid_shared_object_is_an_error_that_names_it() {
    let (folder, executable) = copy_of_command();
    fs::write(folder.path().join("libkaleidoscope_llvm_plugin.so"), "no library").unwrap();
    let finished = run(&executable, &["--jit", "lazy"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (1, ""));
    assert!(
        finished.stderr.contains("libkaleidoscope_llvm_plugin.so cannot be loaded"),
        "{}",
        finished.stderr
    );

    // Hot code stays in the baseline tier.
    let finished = run(&executable, &["--stats"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, VALUE));
    assert!(!finished.stderr.contains("optimized"), "{}", finished.stderr);
}

#[test]
fn the_shared_object_is_found_beside_the_executable() {
    let (folder, executable) = copy_of_command();
    let name = "libkaleidoscope_llvm_plugin.so";
    let built = PathBuf::from(EXECUTABLE).with_file_name("deps").join(name);
    fs::hard_link(built, folder.path().join(name)).unwrap();
    let finished = run(&executable, &["--jit", "lazy", "--stats"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, VALUE), "{}", finished.stderr);
    assert!(finished.stderr.contains("lazy"), "{}", finished.stderr);
}
