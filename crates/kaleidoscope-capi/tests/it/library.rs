//! Builds the library, compiles C and C++ programs with it, and runs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use test_process::Process;

/// Time limit for building the library, including the wait for another cargo.
const BUILD_LIMIT: Duration = Duration::from_secs(600);

/// The SONAME of a version before 1.0.
pub(crate) const SONAME: &str =
    concat!("libkaleidoscope.so.", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));

/// The forms of the library.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Shared,
    Static,
}

/// The profile of these tests, from the folder of their executable: `target/PROFILE/deps`.
pub(crate) fn profile() -> String {
    let itself = std::env::current_exe().unwrap();
    let folder = itself.ancestors().nth(2).unwrap().file_name().unwrap().to_str().unwrap();
    if folder == "debug" { "dev".to_owned() } else { folder.to_owned() }
}

/// Builds the library with the features and the profile of these tests, and returns the paths of
/// its files.
fn build() -> Vec<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--lib", "--message-format=json", "--package", "kaleidoscope-capi"]);
    build.args(["--profile", &profile()]);
    build.current_dir(env!("CARGO_MANIFEST_DIR")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = Process::start_within(BUILD_LIMIT, &mut build).output(b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let messages = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let of_this = messages.filter(|message| message["target"]["name"] == "kaleidoscope_capi");
    let files = of_this.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    files.map(|file| PathBuf::from(file.as_str().unwrap())).collect()
}

fn file(extension: &str) -> &'static Path {
    static FILES: LazyLock<Vec<PathBuf>> = LazyLock::new(build);
    let found = FILES.iter().find(|file| file.extension().is_some_and(|found| found == extension));
    found.unwrap_or_else(|| panic!("no .{extension} in {FILES:?}"))
}

/// Compiles a program of this crate with this form of the library, and returns the executable.
pub(crate) fn compile(compiler: &[&str], source: &str, form: Form, folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let executable = folder.join("program");
    let mut command = Command::new(compiler[0]);
    command.args(&compiler[1..]).args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-O1"]);
    command.arg("-I").arg(root.join("include")).arg("-o").arg(&executable).arg(root.join(source));
    match form {
        Form::Shared => {
            let library = file("so");
            // The loader looks for the SONAME.
            std::os::unix::fs::symlink(library, folder.join(SONAME)).unwrap();
            command.args(["-x", "none"]).arg(library).arg(format!("-Wl,-rpath,{}", folder.display()));
        }
        Form::Static => {
            command.args(["-x", "none"]).arg(file("a"));
        }
    }
    run(command.args(["-lpthread", "-lm", "-ldl"]));
    executable
}

/// Runs a command, which must succeed.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = test_process::output(command, b"");
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{said}{complained}", output.status);
    output
}
