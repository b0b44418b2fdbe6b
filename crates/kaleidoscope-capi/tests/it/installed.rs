//! `cargo xtask install` below a temporary prefix, and hosts that find the library there by
//! pkg-config and by CMake.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use test_process::Process;

use crate::library::{profile, run};

/// Time limit for building the library, including the wait for another cargo.
const BUILD_LIMIT: Duration = Duration::from_secs(600);

/// Installs the library in a folder below this one, and returns the prefix.
fn install(folder: &Path) -> PathBuf {
    let prefix = folder.join("prefix");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut install = Command::new(cargo);
    install.args(["run", "--quiet", "--package", "xtask", "--", "install", "--profile", &profile()]);
    install.arg("--prefix").arg(&prefix).current_dir(env!("CARGO_MANIFEST_DIR"));
    install.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let output = Process::start_within(BUILD_LIMIT, &mut install).output(b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    prefix
}

/// Whether a program exists. `./check c` installs what these tests need.
fn exists(program: &str, test: &str) -> bool {
    let exists = Command::new(program).arg("--version").output().is_ok();
    if !exists {
        let sentence = format!("installed::{test} is skipped: there is no {program}\n");
        // Written past the test harness.
        std::io::stderr().write_all(sentence.as_bytes()).unwrap();
    }
    exists
}

fn pkg_config(prefix: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    command.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).args(arguments).arg("kaleidoscope");
    let output = String::from_utf8(run(&mut command).stdout).unwrap();
    output.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_host_finds_the_library_by_pkg_config() {
    if !exists("pkg-config", "a_host_finds_the_library_by_pkg_config") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let prefix = install(folder.path());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(pkg_config(&prefix, &["--modversion"]), [env!("CARGO_PKG_VERSION")]);

    let shared = folder.path().join("shared");
    let mut compile = Command::new("cc");
    compile.arg("-std=c99").arg(root.join("examples/plugin_host.c")).arg("-o").arg(&shared);
    run(compile.args(pkg_config(&prefix, &["--cflags", "--libs"])).arg("-lpthread"));
    // The loader finds the library by its SONAME, not by the name that the linker saw.
    std::fs::remove_file(prefix.join("lib/libkaleidoscope.so")).unwrap();
    let output = run(Command::new(&shared).env("LD_LIBRARY_PATH", prefix.join("lib")));
    let expected = include_bytes!("../../examples/plugin_host.out");
    assert_eq!(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(expected));

    // Without the shared library the linker takes the static one, which needs more libraries.
    let all_static = folder.path().join("static");
    let mut compile = Command::new("cc");
    compile.arg("-std=c99").arg(root.join("examples/plugin_host.c")).arg("-o").arg(&all_static);
    run(compile.args(pkg_config(&prefix, &["--static", "--cflags", "--libs"])));
    let output = run(&mut Command::new(&all_static));
    assert_eq!(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(expected));
}

const CMAKE_LISTS: &str = "\
cmake_minimum_required(VERSION 3.13)
project(host CXX)
set(CMAKE_CXX_STANDARD 17)
find_package(Kaleidoscope @VERSION@ REQUIRED)
add_executable(shared @SOURCE@)
target_link_libraries(shared PRIVATE Kaleidoscope::Shared)
add_executable(static @SOURCE@)
target_link_libraries(static PRIVATE Kaleidoscope::Static)
find_package(Kaleidoscope 9999 QUIET)
if(Kaleidoscope_FOUND)
  message(FATAL_ERROR \"an old version is not compatible with 9999\")
endif()
";

#[test]
fn a_host_finds_the_library_by_cmake() {
    if !exists("cmake", "a_host_finds_the_library_by_cmake") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let installed = install(folder.path());
    // The package may be moved.
    let prefix = folder.path().join("moved");
    std::fs::rename(installed, &prefix).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/formulas.cpp");
    let version = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
    let lists = CMAKE_LISTS.replace("@SOURCE@", source.to_str().unwrap()).replace("@VERSION@", version);
    std::fs::write(folder.path().join("CMakeLists.txt"), lists).unwrap();
    let build = folder.path().join("build");
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(folder.path()).arg("-B").arg(&build).arg("-DCMAKE_BUILD_TYPE=Debug");
    run(configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())));
    run(Command::new("cmake").arg("--build").arg(&build));
    let expected = include_bytes!("../../examples/formulas.out");
    for form in ["shared", "static"] {
        let output = run(&mut Command::new(build.join(form)));
        assert_eq!(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(expected), "{form}");
    }
}
