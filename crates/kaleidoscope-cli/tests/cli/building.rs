//! The commands of a page in `docs` about building do what the page says.
//!
//! A block `kaleidoscope NAME` or `c NAME` is a file. A block `console` has commands after `$`,
//! each with its output: standard output and standard error as they come.

use crate::command::executable;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Runs a command as a shell does, after one that ended with this exit code.
fn run(command: &str, folder: &Path, code: i32) -> (String, i32) {
    let bin = Path::new(executable()).parent().unwrap().to_str().unwrap();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let script = format!("(exit {code}); {command}");
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("exec 2>&1; {script}")]).env("PATH", path).current_dir(folder);
    let output = test_process::output(&mut shell, b"");
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

/// Runs the commands of a page in a new folder.
pub(crate) fn check(page: &str) {
    let folder = TempDir::new().unwrap();
    let mut n_commands = 0;
    for block in page.split("\n```").skip(1).step_by(2) {
        let (info, text) = block.split_once('\n').unwrap();
        let text = format!("{text}\n");
        if let ["kaleidoscope" | "c", name] = info.split(' ').collect::<Vec<_>>()[..] {
            fs::write(folder.path().join(name), &text).unwrap();
        }
        if info != "console" {
            continue;
        }
        let mut code = 0;
        for step in format!("\n{text}").split("\n$ ").skip(1) {
            let (command, expected) = step.split_once('\n').unwrap_or((step, ""));
            let (output, ended) = run(command, folder.path(), code);
            assert_eq!(output.trim_end(), expected.trim_end(), "{command}");
            code = ended;
            n_commands += 1;
        }
    }
    assert!(n_commands > 0, "the page has no commands");
}

#[test]
fn the_page_about_building() {
    check(include_str!("../../../../docs/building.md"));
}
