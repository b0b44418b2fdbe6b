//! The programs that are run: our own command, and the chapter 7 program of LLVM's tutorial.

use crate::record;
use crate::timing::{Pairs, millis};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in the workspace").to_owned()
}

/// Our command with LLVM beside it, built in release by the way; the process ends with a message if that fails.
pub fn kaleidoscope() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "-p", "kaleidoscope-cli", "-p", "kaleidoscope-llvm-plugin"])
        .current_dir(root())
        .status();
    if !built.is_ok_and(|status| status.success()) {
        end("the command could not be built");
    }
    settled(&target_dir().join("release/libkaleidoscope_llvm_plugin.so"));
    settled(&target_dir().join("release/kaleidoscope"))
}

/// The chapter 7 program; the process ends with a message if it cannot be had.
pub fn chapter7() -> PathBuf {
    let found = find_chapter7();
    found.unwrap_or_else(|| end("the chapter 7 program could not be built; benches/chapter7.sh says why"))
}

/// The chapter 7 program, built by `benches/chapter7.sh` if it is not there yet, and if that can be done.
pub fn find_chapter7() -> Option<PathBuf> {
    let path = target_dir().join("peers/chapter7");
    if !path.exists() {
        let built = Command::new(root().join("benches/chapter7.sh")).arg(&path).status();
        if !built.is_ok_and(|status| status.success()) {
            return None;
        }
    }
    Some(settled(&path))
}

/// A copy of the program, made by this process. How a linker has written a file shows in how the kernel caches it, and that in
/// hundreds of page faults at each start; copies are alike.
fn settled(program: &Path) -> PathBuf {
    let directory = target_dir().join("peers/copies");
    let copy = directory.join(program.file_name().expect("a program has a name"));
    let copied = fs::create_dir_all(&directory).and_then(|()| fs::copy(program, &copy));
    match copied {
        Ok(_) => copy,
        Err(error) => end(&format!("{} could not be copied: {error}", program.display())),
    }
}

/// Runs each program of `benches/programs` by our command and by the chapter 7 program, whole processes, turn and turn about;
/// prints and records how long both took.
pub fn beside_chapter7(question: &str, programs: &[&str], args: &[&str], n_pairs: usize) {
    let (ours, theirs) = (kaleidoscope(), chapter7());
    let mut lines = Vec::new();
    println!("wall time of the whole process, median of {n_pairs} pairs; ratio with its quartiles");
    for program in programs {
        let input = root().join(format!("benches/programs/{program}.kal"));
        let run_ours = || run_with_input(&ours, args, &input);
        let pairs = Pairs::measure(n_pairs, run_ours, || run_with_input(&theirs, &[], &input));
        let [low, ratio, high] = pairs.ratio();
        let (ours, theirs) = (millis(pairs.ours()), millis(pairs.theirs()));
        println!(
            "  {program:<11} ours {ours:>9} ms   chapter 7 {theirs:>9} ms   ratio {ratio:.3} ({low:.3} to {high:.3})"
        );
        lines.push(format!("{program},{ours},{theirs},{ratio:.3}"));
    }
    record::add(question, "program,ours_ms,chapter7_ms,ratio", &lines);
}

/// Runs the program with the text on standard input, its output thrown away; the process ends with a message if it fails.
fn run_with_input(program: &Path, args: &[&str], input: &Path) {
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

/// How C is compiled: as fast as it can be with the same bits, for this machine.
pub const C_FLAGS: &[&str] = &["-O3", "-march=native", "-ffp-contract=off"];

/// A peer in C that ends in a function `run`, compiled with [`C_FLAGS`]. Nothing if there is no such compiler, which is said.
pub fn c_program(compiler: &str, source: &Path) -> Option<PathBuf> {
    let sources = [&root().join("benches/hot/main.c"), source];
    let name = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (folder, stem) = (name(source.parent().and_then(Path::file_name)), name(source.file_stem()));
    let program = place(&format!("{folder}-{stem}-{compiler}"));
    match Command::new(compiler).args(C_FLAGS).arg("-o").arg(&program).args(sources).arg("-lm").status() {
        Ok(status) if status.success() => Some(program),
        Ok(status) => end(&format!("{compiler} failed on {}: {status}", source.display())),
        Err(error) => {
            eprintln!("{compiler} is left out: {error}");
            None
        }
    }
}

/// A peer in Rust, one file, made by the `rustc` of this build for this very processor; the process ends with a message if that fails.
pub fn rust_program(source: &Path) -> PathBuf {
    let name = source.file_stem().unwrap_or_default().to_string_lossy();
    let program = place(&format!("{name}-rust"));
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let flags = ["--edition", "2024", "-C", "opt-level=3", "-C", "target-cpu=native", "-o"];
    let made = Command::new(rustc).args(flags).arg(&program).arg(source).status();
    if !made.is_ok_and(|status| status.success()) {
        end(&format!("{} could not be compiled", source.display()));
    }
    program
}

/// Where the peer of this name is to be.
fn place(name: &str) -> PathBuf {
    let folder = target_dir().join("peers");
    fs::create_dir_all(&folder).unwrap_or_else(|error| end(&format!("{}: {error}", folder.display())));
    folder.join(name)
}

/// A Python with these packages of PyPI's, in an environment of its own. Nothing if it cannot be had, which is said.
pub fn python_program(packages: &[&str]) -> Option<PathBuf> {
    let environment = target_dir().join("peers/python");
    let python = environment.join("bin/python");
    let succeeds = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    let is_made = python.exists() || succeeds(Command::new("python3").args(["-m", "venv"]).arg(&environment));
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    if is_made && succeeds(Command::new(&python).args(install).args(packages)) {
        return Some(python);
    }
    eprintln!("{} are left out: they cannot be installed", packages.join(", "));
    None
}

/// Where cargo puts what it builds.
pub fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn end(message: &str) -> ! {
    eprintln!("error: {message}");
    std::process::exit(1)
}
