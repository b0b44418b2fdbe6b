//! Chore `install`: builds the C library, and installs it below a prefix with its headers, a
//! pkg-config file and CMake package files.
//!
//! The build script of the C library gives the shared one its SONAME.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::steps::{cargo_command, root};

const CRATE: &str = "crates/kaleidoscope-capi";

/// Where to install, and what to build.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    prefix: PathBuf,
    profile: String,
    with_llvm: bool,
}

impl Options {
    /// Reads the options of the chore.
    ///
    /// # Errors
    ///
    /// If an option is unknown or lacks its value, in one sentence.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self, String> {
        let (mut prefix, mut profile, mut with_llvm) = (None, "release", false);
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            let mut value = || arguments.next().copied().ok_or(format!("`{argument}` lacks its value"));
            match argument {
                "--prefix" => prefix = Some(value()?),
                "--profile" => profile = value()?,
                "--llvm" => with_llvm = true,
                _ => return Err(format!("`install` has no option `{argument}`")),
            }
        }
        let prefix = prefix.ok_or("`install` needs `--prefix FOLDER`")?.into();
        Ok(Self { prefix, profile: profile.to_owned(), with_llvm })
    }
}

/// The names that depend on the version.
#[derive(Debug, PartialEq, Eq)]
struct Names {
    version: String,
    /// The part of the version that changes with the interface.
    interface: String,
    soname: String,
    shared_file: String,
}

impl Names {
    /// # Errors
    ///
    /// If the version is not of three parts.
    fn new(version: &str) -> Result<Self, String> {
        let [major, minor, _] = version.split('.').collect::<Vec<_>>()[..] else {
            return Err(format!("`{version}` is not a version of three parts"));
        };
        let interface = if major == "0" { format!("0.{minor}") } else { major.to_owned() };
        Ok(Self {
            version: version.to_owned(),
            soname: format!("libkaleidoscope.so.{interface}"),
            shared_file: format!("libkaleidoscope.so.{version}"),
            interface,
        })
    }
}

/// Builds and installs the library.
///
/// # Errors
///
/// If a command fails, or a file cannot be written, in one sentence.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let names = Names::new(&version()?)?;
    // CMake and the linker find the library by this path, wherever they run.
    let prefix = std::path::absolute(&options.prefix).map_err(|error| failed(&options.prefix, error))?;
    let [archive, shared] = build(options)?;
    let source = root().join(CRATE);
    let lib = prefix.join("lib");

    for header in ["kaleidoscope.h", "kaleidoscope.hpp"] {
        copy(&source.join("include").join(header), &prefix.join("include").join(header))?;
    }
    copy(&archive, &lib.join("libkaleidoscope.a"))?;
    copy(&shared, &lib.join(&names.shared_file))?;
    link(&names.shared_file, &lib.join(&names.soname))?;
    link(&names.soname, &lib.join("libkaleidoscope.so"))?;

    let static_libraries: &[&str] = match options.with_llvm {
        false => &["pthread", "m", "dl"],
        true => &["stdc++", "z", "zstd", "ffi", "pthread", "m", "dl"],
    };
    let flags: Vec<String> = static_libraries.iter().map(|name| format!("-l{name}")).collect();
    let prefix_text = prefix.to_str().ok_or("the prefix is not UTF-8")?;
    let config = lib.join("cmake/Kaleidoscope");
    for (file, folder, separator) in [
        ("kaleidoscope.pc", &lib.join("pkgconfig"), " "),
        ("KaleidoscopeConfig.cmake", &config, ";"),
        ("KaleidoscopeConfigVersion.cmake", &config, ";"),
    ] {
        let template = source.join("install").join(format!("{file}.in"));
        let template = fs::read_to_string(&template).map_err(|error| failed(&template, error))?;
        let text = filled(&template, &names, prefix_text, &flags.join(separator));
        write(&folder.join(file), &text)?;
    }
    println!("installed Kaleidoscope {} in {}", names.version, prefix.display());
    Ok(())
}

/// A template with its variables replaced.
fn filled(template: &str, names: &Names, prefix: &str, static_libraries: &str) -> String {
    template
        .replace("@PREFIX@", prefix)
        .replace("@VERSION@", &names.version)
        .replace("@INTERFACE_PATTERN@", &names.interface.replace('.', r"\\."))
        .replace("@SONAME@", &names.soname)
        .replace("@SHARED_FILE@", &names.shared_file)
        .replace("@STATIC_LIBRARIES@", static_libraries)
}

/// Builds both forms of the library, and returns the paths of the static and the shared one.
fn build(options: &Options) -> Result<[PathBuf; 2], String> {
    let mut arguments = vec!["build", "--quiet", "--lib", "--package", "kaleidoscope-capi"];
    arguments.extend(["--profile", &options.profile, "--message-format", "json-render-diagnostics"]);
    if options.with_llvm {
        arguments.extend(["--features", "llvm"]);
    }
    let mut command = cargo_command(&arguments, &[]);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo {}: {}", arguments.join(" "), output.status));
    }
    let messages = String::from_utf8(output.stdout).map_err(|error| format!("cargo: {error}"))?;
    let files = built_files(&messages);
    let form = |extension: &str| {
        let found = files.iter().find(|file| file.extension().is_some_and(|found| found == extension));
        found.cloned().ok_or_else(|| format!("cargo built no library with the ending .{extension}"))
    };
    Ok([form("a")?, form("so")?])
}

/// The files of the C library in cargo's messages, one of which is a line.
fn built_files(messages: &str) -> Vec<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_library = messages.filter(|message| message["target"]["name"] == "kaleidoscope_capi");
    let files = of_library.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    files.filter_map(|file| file.as_str().map(PathBuf::from)).collect()
}

/// The version of the workspace, which is the library's.
fn version() -> Result<String, String> {
    let path = root().join("Cargo.toml");
    let manifest = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
    let after = manifest.split("[workspace.package]").nth(1).unwrap_or_default();
    let line = after.lines().find_map(|line| line.strip_prefix("version = \""));
    let version = line.and_then(|rest| rest.strip_suffix('"'));
    version.map(str::to_owned).ok_or_else(|| "Cargo.toml has no version of the workspace".to_owned())
}

fn failed(path: &Path, error: impl Display) -> String {
    format!("{}: {error}", path.display())
}

/// Removes a file, so that processes that use it keep it as it is, and makes its folder.
fn make_room(path: &Path) -> Result<(), String> {
    let folder = path.parent().expect("an installed file is below the prefix");
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    make_room(to)?;
    fs::copy(from, to).map(drop).map_err(|error| failed(from, error))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    make_room(path)?;
    fs::write(path, text).map_err(|error| failed(path, error))
}

/// Makes a symbolic link to a file in the same folder.
fn link(file: &str, path: &Path) -> Result<(), String> {
    make_room(path)?;
    symlink(file, path).map_err(|error| failed(path, error))
}

#[cfg(test)]
mod tests;
