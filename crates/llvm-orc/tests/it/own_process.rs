//! Tests that run in a process of their own.
//!
//! A test needs its own process if it measures the process (memory, mappings), forks, or aborts.
//! The test calls a function of this module with its own name. The function starts the test binary
//! again with that name, and the child process runs the test.

use std::process::{Command, Output};

/// Environment variable that marks the child process.
const IN_CHILD: &str = "LLVM_ORC_TEST_IN_CHILD";

/// Runs `test` in a child process. `name` is the name of the calling test with its module.
pub(crate) fn in_own_process(name: &str, test: impl FnOnce()) {
    if let Some(output) = run_in_child(name, test) {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}{stderr}");
    }
}

/// Runs `test` in a child process, which must abort.
pub(crate) fn aborts_own_process(name: &str, test: impl FnOnce()) {
    use std::os::unix::process::ExitStatusExt;
    const SIGABRT: i32 = 6;
    if let Some(output) = run_in_child(name, test) {
        assert_eq!(output.status.signal(), Some(SIGABRT), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// Runs `test` in a child process, which must abort and end its standard error with this text.
#[cfg(feature = "shim")]
pub(crate) fn aborts_own_process_saying(name: &str, text: &str, test: impl FnOnce()) {
    use std::os::unix::process::ExitStatusExt;
    const SIGABRT: i32 = 6;
    if let Some(output) = run_in_child(name, test) {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(SIGABRT), "{stderr}");
        assert!(stderr.ends_with(text), "{stderr}");
    }
}

/// Runs `test` in a child process, which must end the process with this exit code.
#[cfg(feature = "shim")]
pub(crate) fn ends_own_process(name: &str, code: i32, test: impl FnOnce()) {
    if let Some(output) = run_in_child(name, test) {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{:?}: {stderr}", output.status);
    }
}

/// Runs `test` if this is the child process. Otherwise starts the child process.
fn run_in_child(name: &str, test: impl FnOnce()) -> Option<Output> {
    if std::env::var_os(IN_CHILD).is_some() {
        test();
        return None;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    Some(test_process::output(child.args(["--exact", name]).env(IN_CHILD, "1"), b""))
}
