//! Allowed dependencies between crates: the diagram in ARCHITECTURE.md as a table.
//!
//! Only direct dependencies count. The table is closed, so what is reachable follows from it. A
//! crate without a row may not exist, which makes adding one a decision.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What a crate may depend on.
struct Row {
    name: &'static str,
    /// The project's own crates.
    house: &'static [&'static str],
    /// Whether it may name LLVM's own crates.
    llvm: bool,
}

const ROWS: &[Row] = &[
    Row { name: "kaleidoscope-lang", house: &["kaleidoscope-ir"], llvm: false },
    Row { name: "kaleidoscope-baseline", house: &["kaleidoscope-ir"], llvm: false },
    Row { name: "kaleidoscope-native", house: &[], llvm: false },
    Row { name: "llvm-orc", house: &[], llvm: true },
    Row { name: "kaleidoscope-ir", house: &[], llvm: false },
    Row { name: "kaleidoscope-llvm", house: &["kaleidoscope-ir", "llvm-orc"], llvm: true },
    Row { name: "kaleidoscope-plugin", house: &["kaleidoscope-ir"], llvm: false },
    Row { name: "kaleidoscope-testkit", house: &["kaleidoscope-lang", "kaleidoscope-ir"], llvm: false },
    Row {
        name: "kaleidoscope-llvm-plugin",
        house: &["kaleidoscope-llvm", "kaleidoscope-plugin"],
        llvm: false,
    },
    Row {
        name: "kaleidoscope-jit",
        house: &["kaleidoscope-ir", "kaleidoscope-native", "kaleidoscope-baseline", "kaleidoscope-llvm"],
        llvm: false,
    },
    Row {
        name: "kaleidoscope",
        house: &["kaleidoscope-lang", "kaleidoscope-ir", "kaleidoscope-jit"],
        llvm: false,
    },
    Row { name: "kaleidoscope-capi", house: &["kaleidoscope"], llvm: false },
    Row {
        name: "kaleidoscope-cli",
        house: &["kaleidoscope", "kaleidoscope-plugin", "kaleidoscope-llvm-plugin"],
        llvm: false,
    },
    Row { name: "kaleidoscope-python", house: &["kaleidoscope", "kaleidoscope-plugin"], llvm: false },
    Row { name: "test-process", house: &[], llvm: false },
    Row { name: "xtask", house: &[], llvm: false },
];

/// Packages that may depend on every crate of the project, and on which no crate depends.
const LEAVES: &[&str] =
    &["kaleidoscope-tests", "kaleidoscope-benches", "kaleidoscope-fuzz", "hostile-environments"];

/// Packages on which every crate may depend for its tests, and for nothing else.
const FOR_TESTS: &[&str] = &["kaleidoscope-testkit", "test-process"];

/// The crates through which a crate can name LLVM.
const LLVM: &[&str] = &["llvm-sys", "inkwell"];

/// The manifests of the workspaces with crates in the table.
pub(crate) const MANIFESTS: &[&str] = &["Cargo.toml", "crates/kaleidoscope-python/Cargo.toml"];

/// Returns cargo's metadata of the workspace with this manifest.
///
/// # Errors
///
/// If cargo fails.
pub(crate) fn metadata(root: &Path, manifest: &str) -> Result<Value, String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path", manifest])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

/// Finds dependencies that the table does not allow. Dependencies of tests count as well: a crate
/// that needs another for its tests cannot be tested without it.
pub(crate) fn check(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let needed = || {
        let dependencies = dependencies.iter().filter(|dependency| {
            let is_for_tests = FOR_TESTS.iter().any(|name| dependency["name"] == *name);
            !(is_for_tests && dependency["kind"] == "dev")
        });
        dependencies.filter_map(|dependency| dependency["name"].as_str())
    };

    let mut complaints: Vec<String> = needed()
        .filter(|needed| LEAVES.contains(needed))
        .map(|needed| format!("{name} depends on {needed}, on which nothing may depend"))
        .collect();
    if LEAVES.contains(&name) {
        return complaints;
    }
    let Some(row) = ROWS.iter().find(|row| row.name == name) else {
        complaints.push(format!("{name} has no row in the table of crates (xtask/src/tidy/arrows.rs)"));
        return complaints;
    };
    for needed in needed() {
        let ours = ROWS.iter().any(|row| row.name == needed);
        if ours && !row.house.contains(&needed) {
            complaints.push(format!("{name} may not depend on {needed}"));
        }
        if LLVM.contains(&needed) && !row.llvm {
            complaints.push(format!("{name} may not name LLVM, but depends on {needed}"));
        }
    }
    complaints
}

#[cfg(test)]
mod tests;
