//! Programs to measure: builds our command and its peers in C, Rust and Python.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Returns the root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in the workspace").to_owned()
}

/// Builds our command and the LLVM plug-in in release mode. Ends the process with a message if that
/// fails.
pub fn kaleidoscope() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "-p", "kaleidoscope-cli", "-p", "kaleidoscope-llvm-plugin"])
        .current_dir(root())
        .status();
    if !built.is_ok_and(|status| status.success()) {
        end("the command could not be built");
    }
    copied_program(&target_dir().join("release/libkaleidoscope_llvm_plugin.so"));
    copied_program(&target_dir().join("release/kaleidoscope"))
}

/// Returns the chapter 7 program of LLVM's tutorial. Ends the process with a message if the program
/// cannot be built.
pub fn chapter7() -> PathBuf {
    let found = find_chapter7();
    found.unwrap_or_else(|| end("the chapter 7 program could not be built; benches/chapter7.sh says why"))
}

/// Returns the chapter 7 program. `benches/chapter7.sh` builds it the first time. Returns `None` if
/// that fails.
pub fn find_chapter7() -> Option<PathBuf> {
    let path = target_dir().join("peers/chapter7");
    if !path.exists() {
        let built = Command::new(root().join("benches/chapter7.sh")).arg(&path).status();
        if !built.is_ok_and(|status| status.success()) {
            return None;
        }
    }
    Some(copied_program(&path))
}

/// Copies the program. The way in which a linker writes a file affects how the kernel caches it:
/// the difference is hundreds of page faults at each start. Copies are all written the same way.
fn copied_program(program: &Path) -> PathBuf {
    let directory = target_dir().join("peers/copies");
    let copy = directory.join(program.file_name().expect("a program has a name"));
    let copied = fs::create_dir_all(&directory).and_then(|()| fs::copy(program, &copy));
    match copied {
        Ok(_) => copy,
        Err(error) => end(&format!("{} could not be copied: {error}", program.display())),
    }
}

/// Flags for C compilers: the fastest code for this machine that computes the same bits.
pub const C_FLAGS: &[&str] = &["-O3", "-march=native", "-ffp-contract=off"];

/// Compiles a C peer with a function `run`, with [`C_FLAGS`]. Prints a message and returns `None`
/// if the compiler is missing.
pub fn c_program(compiler: &str, source: &Path) -> Option<PathBuf> {
    let sources = [&root().join("benches/programs/main.c"), source];
    let name = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (folder, stem) = (name(source.parent().and_then(Path::file_name)), name(source.file_stem()));
    let program = peer_path(&format!("{folder}-{stem}-{compiler}"));
    match Command::new(compiler).args(C_FLAGS).arg("-o").arg(&program).args(sources).arg("-lm").status() {
        Ok(status) if status.success() => Some(program),
        Ok(status) => end(&format!("{compiler} failed on {}: {status}", source.display())),
        Err(error) => {
            eprintln!("{compiler} is skipped: {error}");
            None
        }
    }
}

/// Compiles a Rust peer of one file for this processor, with the `rustc` of this build. Ends the
/// process with a message if that fails.
pub fn rust_program(source: &Path) -> PathBuf {
    let name = source.file_stem().unwrap_or_default().to_string_lossy();
    let program = peer_path(&format!("{name}-rust"));
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let flags = ["--edition", "2024", "-C", "opt-level=3", "-C", "target-cpu=native", "-o"];
    let made = Command::new(rustc).args(flags).arg(&program).arg(source).status();
    if !made.is_ok_and(|status| status.success()) {
        end(&format!("{} could not be compiled", source.display()));
    }
    program
}

/// Returns the path of the peer with this name.
fn peer_path(name: &str) -> PathBuf {
    let folder = target_dir().join("peers");
    fs::create_dir_all(&folder).unwrap_or_else(|error| end(&format!("{}: {error}", folder.display())));
    folder.join(name)
}

/// Installs these PyPI packages in a Python environment of their own and returns its interpreter.
/// Prints a message and returns `None` if that fails.
pub fn python_program(packages: &[&str]) -> Option<PathBuf> {
    let environment = target_dir().join("peers/python");
    let python = environment.join("bin/python");
    let succeeds = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    let exists = python.exists() || succeeds(Command::new("python3").args(["-m", "venv"]).arg(&environment));
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    if exists && succeeds(Command::new(&python).args(install).args(packages)) {
        return Some(python);
    }
    eprintln!("{} are skipped: they cannot be installed", packages.join(", "));
    None
}

/// Returns cargo's target directory.
pub fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Ends the process with this message of an error.
pub fn end(message: &str) -> ! {
    eprintln!("error: {message}");
    std::process::exit(1)
}
