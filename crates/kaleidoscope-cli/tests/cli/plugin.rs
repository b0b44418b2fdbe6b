//! The shared object with LLVM: missing, invalid, and found beside the executable.

use crate::command::{BUILT, Finished, PLUGIN, built_plugin, executable, run_executable};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A program with a hot loop, and its value.
const HOT: [&str; 2] = ["-e", "def f(x) x + 1; var s = 0 in (for i = 0, i < 3000000 in s = f(s)) + s;"];
const VALUE: &str = "3000001\n";

/// A copy of the command in its own folder.
fn copy_of_command() -> (TempDir, PathBuf) {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let executable = folder.path().join("kaleidoscope");
    fs::hard_link(BUILT, &executable).unwrap();
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

/// The command with this in place of the shared object. In lazy mode it says so for each
/// compilation, in tiered mode once; then hot code stays in the baseline tier.
fn check_refused(folder: &TempDir, executable: &Path, reason: &str) {
    let finished = run(executable, &["--jit", "lazy"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (1, ""));
    let plugin = folder.path().join(PLUGIN);
    let sentence = format!("the plug-in {} cannot be loaded: {reason}", plugin.display());
    assert!(finished.stderr.contains(&sentence), "{}", finished.stderr);

    // Hot code is to be optimized in the background: the program must run until that was tried.
    let expected = format!("warning: {sentence}; hot code was not optimized\n");
    let is_warned = (20..32).any(|exponent| {
        let text = format!(
            "def f(x) x + 1; var s = 0 in (for i = 0, i < {} in s = f(s)) + s < 0;",
            1_u64 << exponent
        );
        let finished = run_executable(executable, &["-e", &text], b"");
        assert_eq!((finished.code, finished.stdout.as_str()), (0, "0\n"), "{}", finished.stderr);
        assert!(finished.stderr.is_empty() || finished.stderr == expected, "{}", finished.stderr);
        !finished.stderr.is_empty()
    });
    assert!(is_warned, "a long program is optimized");
}

#[test]
fn an_invalid_shared_object_is_an_error_that_names_it() {
    let (folder, executable) = copy_of_command();
    fs::write(folder.path().join(PLUGIN), "no library").unwrap();
    check_refused(&folder, &executable, "it is no shared object");
}

#[test]
fn a_shared_object_that_was_cut_off_is_an_error_that_names_it() {
    let (folder, executable) = copy_of_command();
    let n_bytes = fs::metadata(built_plugin()).unwrap().len();
    for n_left in [n_bytes - 1, n_bytes / 2, 100_000] {
        let plugin = folder.path().join(PLUGIN);
        fs::copy(built_plugin(), &plugin).unwrap();
        fs::File::options().write(true).open(&plugin).unwrap().set_len(n_left).unwrap();
        check_refused(
            &folder,
            &executable,
            &format!("it is cut off: {n_left} bytes of at least {n_bytes} are there"),
        );
    }
}

fn check_lazy(executable: &Path) {
    let finished = run(executable, &["--jit", "lazy", "--stats"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, VALUE), "{}", finished.stderr);
    assert!(finished.stderr.contains("lazy"), "{}", finished.stderr);
}

#[test]
fn the_shared_object_is_found_beside_the_executable() {
    let (folder, executable) = copy_of_command();
    fs::hard_link(built_plugin(), folder.path().join(PLUGIN)).unwrap();
    check_lazy(&executable);
    // Links to the executable are resolved.
    let elsewhere = TempDir::new().unwrap();
    let link = elsewhere.path().join("kaleidoscope");
    std::os::unix::fs::symlink(&executable, &link).unwrap();
    check_lazy(&link);
}

#[test]
fn the_shared_object_is_found_nowhere_else() {
    let (folder, executable) = copy_of_command();
    for place in ["deps", "lib"] {
        let place = folder.path().join(place);
        fs::create_dir_all(&place).unwrap();
        fs::hard_link(built_plugin(), place.join(PLUGIN)).unwrap();
    }
    let mut command = Command::new(&executable);
    command.current_dir(folder.path().join("lib")).args(["--jit", "lazy", "-e", "1;"]);
    let output = test_process::output(&mut command, b"");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_variable_names_the_shared_object() {
    let (folder, executable) = copy_of_command();
    let run = |plugin: &Path, executable: &Path| {
        let mut command = Command::new(executable);
        command.env("KALEIDOSCOPE_LLVM_PLUGIN", plugin).args(["--jit", "lazy"]).args(HOT);
        test_process::output(&mut command, b"")
    };
    let output = run(&built_plugin(), &executable);
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), VALUE.as_bytes()));
    // It goes before the file beside the executable.
    let missing = folder.path().join("missing");
    let output = run(&missing, Path::new(self::executable()));
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("missing cannot be loaded: No such file"), "{stderr}");
}
