//! The programs that are run: our own command, and the chapter 7 program of LLVM's tutorial.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in the workspace").to_owned()
}

/// Our command, built in release by the way; the process ends with a message if that fails.
pub fn kaleidoscope() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "-p", "kaleidoscope-cli"])
        .current_dir(root())
        .status();
    if !built.is_ok_and(|status| status.success()) {
        end("the command could not be built");
    }
    target_dir().join("release/kaleidoscope")
}

/// The chapter 7 program, built by `benches/chapter7.sh` if it is not there yet.
pub fn chapter7() -> PathBuf {
    let path = target_dir().join("peers/chapter7");
    if !path.exists() {
        let built = Command::new(root().join("benches/chapter7.sh")).arg(&path).status();
        if !built.is_ok_and(|status| status.success()) {
            end("the chapter 7 program could not be built; benches/chapter7.sh says why");
        }
    }
    path
}

/// Runs the program with the text on standard input, its output thrown away; the process ends with a message if it fails.
pub fn run_with_input(program: &Path, args: &[&str], input: &Path) {
    let text = fs::File::open(input).unwrap_or_else(|error| end(&format!("{}: {error}", input.display())));
    let status = Command::new(program)
        .args(args)
        .stdin(text)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap_or_else(|error| end(&format!("{}: {error}", program.display())));
    if !status.success() {
        end(&format!("{} failed on {}: {status}", program.display(), input.display()));
    }
}

fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn end(message: &str) -> ! {
    eprintln!("error: {message}");
    std::process::exit(1)
}
