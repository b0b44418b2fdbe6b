//! The rules of the house that a machine can check; what each is good for stands in CONTRIBUTING.md.
//!
//! Each rule is a function from text to complaints, so that its tests need no files. This file only finds the files,
//! applies the rules and prints what they say.

mod arrows;
mod file;
mod lexer;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::header;
use crate::steps::root;

/// Where the project's own Rust is; folders named `target` in them are passed over.
const FOLDERS: &[&str] = &["crates", "tests", "benches", "fuzz", "xtask"];

/// Checks the whole project and prints the count of unsafe blocks.
///
/// # Errors
///
/// How many complaints there were; each is printed.
pub(crate) fn run() -> Result<(), String> {
    let root = root();
    let mut complaints = arrows::check(&arrows::metadata(&root)?);
    let mut n_unsafe: BTreeMap<String, usize> = BTreeMap::new();

    complaints.extend(header::check(&root)?);
    for path in rust_files(&root)? {
        let text = fs::read_to_string(root.join(&path))
            .map_err(|error| format!("{path} cannot be read: {error}"))?;
        let report = file::check(&path, &text);
        complaints.extend(report.complaints.iter().map(|complaint| format!("{path}: {complaint}")));
        *n_unsafe.entry(crate_of(&path)).or_default() += report.n_unsafe_blocks;
    }

    for (name, count) in n_unsafe.iter().filter(|(_, count)| **count > 0) {
        println!("unsafe blocks in {name}: {count}");
    }
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(format!("{} rules of the house broken", complaints.len()))
    }
}

/// `crates/llvm-orc/src/lib.rs` belongs to `llvm-orc`, `tests/src/lib.rs` to `tests`.
fn crate_of(path: &str) -> String {
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    if first == "crates" { parts.next().unwrap_or_default().to_owned() } else { first.to_owned() }
}

/// All Rust files, as paths relative to the root with `/` between the parts, in order.
fn rust_files(root: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut waiting: Vec<_> =
        FOLDERS.iter().map(|folder| root.join(folder)).filter(|path| path.is_dir()).collect();
    while let Some(folder) = waiting.pop() {
        let entries = fs::read_dir(&folder)
            .map_err(|error| format!("{} cannot be listed: {error}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "target") {
                    waiting.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(root).expect("the walk begins at the root");
                found.push(relative.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
