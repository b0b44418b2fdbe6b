//! Every check, in the order in which a mistake is likely and cheap to find.
//!
//! `check` in the project's folder, `.ci/run` and a person all end here, so there is one list. Each step is printed
//! with its time; the first that fails ends the run.

use std::time::{Duration, Instant};

use crate::steps::cargo;
use crate::tidy;

/// One step: what is printed, and what is done.
type Step = (&'static str, fn() -> Result<(), String>);

/// A feature of the library that nothing here has on.
const ARROW: &str = "kaleidoscope/arrow";

const STEPS: &[Step] = &[
    ("formatted", || cargo(&["fmt", "--all", "--check"], &[])),
    ("tidy", tidy::run),
    ("clippy", || {
        let strictly = ["--features", ARROW, "--", "--deny", "warnings"];
        cargo(&[&["clippy", "--quiet", "--workspace", "--all-targets"], &strictly[..]].concat(), &[])
    }),
    ("the library without LLVM", || {
        let packages = ["--package", "kaleidoscope", "--package", "kaleidoscope-capi"];
        cargo(&[&["test", "--quiet", "--lib", "--tests", "--features", ARROW], &packages[..]].concat(), &[])
    }),
    ("the library without threads", || {
        cargo(
            &["check", "--quiet", "--package", "kaleidoscope", "--no-default-features", "--all-targets"],
            &[],
        )
    }),
    // The library for C was tested above; with all features of the workspace LLVM would be linked into it twice.
    ("tests", || {
        cargo(&["test", "--quiet", "--workspace", "--exclude", "kaleidoscope-capi", "--tests"], &[])
    }),
    ("llvm-orc without its C++ files", || {
        let features = ["--no-default-features", "--features", "llvm22-1,inkwell"];
        cargo(&[&["test", "--quiet", "--package", "llvm-orc", "--tests"], &features[..]].concat(), &[])
    }),
    ("llvm-orc for LLVM 23, which need not be here", || {
        let features = "llvm23-1,inkwell,llvm-sys-23/no-llvm-linking";
        let package = ["check", "--quiet", "--package", "llvm-orc", "--all-targets"];
        cargo(&[&package, &["--no-default-features", "--features", features][..]].concat(), &[])
    }),
    ("examples in the documentation", || {
        cargo(&["test", "--quiet", "--workspace", "--doc", "--features", ARROW], &[])
    }),
    ("documentation", || {
        let doc = ["doc", "--quiet", "--workspace", "--no-deps", "--features", ARROW];
        cargo(&doc, &[("RUSTDOCFLAGS", "--deny warnings")])
    }),
];

/// Runs all steps.
///
/// # Errors
///
/// The first step that fails, by name.
pub(crate) fn run() -> Result<(), String> {
    let began = Instant::now();
    for (name, step) in STEPS {
        eprintln!("── {name}");
        let step_began = Instant::now();
        let result = step();
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        eprintln!("── {name}: {verdict} after {}", seconds(step_began.elapsed()));
        result.map_err(|message| format!("`{name}` failed: {message}"))?;
    }
    eprintln!("all checks passed after {}", seconds(began.elapsed()));
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
