//! The command without its shared object, and with one that is none.

use crate::command::{EXECUTABLE, Finished, run_executable};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A loop that becomes hot, and its value.
const HOT: [&str; 2] = ["-e", "def f(x) x + 1; var s = 0 in (for i = 0, i < 3000000 in s = f(s)) + s;"];
const VALUE: &str = "3000001\n";

/// The command in a folder of its own.
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
fn without_llvm_quick_code_has_to_do() {
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
        let names_it = finished.stderr.contains("libkaleidoscope_llvm_plugin.so is not there: build it with");
        assert!(names_it, "{}", finished.stderr);
    }
}

#[test]
fn a_shared_object_that_is_none_is_an_error_that_names_it() {
    let (folder, executable) = copy_of_command();
    fs::write(folder.path().join("libkaleidoscope_llvm_plugin.so"), "no library").unwrap();
    let finished = run(&executable, &["--jit", "lazy"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (1, ""));
    assert!(
        finished.stderr.contains("libkaleidoscope_llvm_plugin.so cannot be loaded"),
        "{}",
        finished.stderr
    );

    // What is hot goes on in quick code.
    let finished = run(&executable, &["--stats"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, VALUE));
    assert!(!finished.stderr.contains("optimized"), "{}", finished.stderr);
}

#[test]
fn beside_the_executable_it_is_found() {
    let (folder, executable) = copy_of_command();
    let name = "libkaleidoscope_llvm_plugin.so";
    let built = PathBuf::from(EXECUTABLE).with_file_name("deps").join(name);
    fs::hard_link(built, folder.path().join(name)).unwrap();
    let finished = run(&executable, &["--jit", "lazy", "--stats"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, VALUE), "{}", finished.stderr);
    assert!(finished.stderr.contains("lazy"), "{}", finished.stderr);
}
