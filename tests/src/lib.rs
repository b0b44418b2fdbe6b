//! What tests of whole programs are made of: running a text in a mode, case files, random programs.
//!
//! A leaf: no crate depends on it. The tests themselves stand in `tests/all`; what they run is data (`cases/`,
//! `../examples/`) or made by [`generate`]. Every text is run by every mode, and all must agree in each bit.

#![forbid(unsafe_code)]

pub mod case;
pub mod columns;
pub mod compare;
pub mod fuzz;
pub mod generate;
pub mod promotion;
pub mod random;
pub mod reading;
pub mod run;
pub mod session;

/// The example of the readme, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

use std::path::PathBuf;

/// A folder of the project, by its path from the root.
pub fn folder(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

/// All files below a folder whose names end in `.kal`, in order.
///
/// # Panics
///
/// When the folder cannot be read: there is nothing to test then.
pub fn programs(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder];
    while let Some(folder) = waiting.pop() {
        let entries = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "kal") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
