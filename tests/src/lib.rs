//! Library for tests of whole programs: runs a text in a mode, reads case files, generates
//! programs.
//!
//! No crate depends on this one. The tests are in `tests/all`. They run data (`cases/`,
//! `../examples/`) and what [`generate`] and [`session`] write. Every mode runs every text, and all
//! modes must agree in each bit.

#![forbid(unsafe_code)]

pub mod build;
pub mod case;
pub mod changing;
pub mod columns;
pub mod compare;
pub mod function;
pub mod fuzz;
pub mod generate;
pub mod random;
pub mod reading;
pub mod run;
pub mod session;
pub mod tier_up;

/// The examples of the README, compiled as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

use std::path::PathBuf;

/// Returns a folder of the project by its path from the root.
pub fn folder(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

/// Lists all `.kal` files below a folder, sorted by path.
///
/// # Panics
///
/// If the folder cannot be read.
pub fn programs(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut unread = vec![folder];
    while let Some(folder) = unread.pop() {
        let entries = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
            if path.is_dir() {
                unread.push(path);
            } else if path.extension().is_some_and(|extension| extension == "kal") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
