//! Rules for a single Rust file: header, size, name, unsafe code, unfinished work.

use std::collections::BTreeMap;

use super::lexer::Parts;
use super::{Complaint, Source, crate_of};

/// A file with more lines says in its header why it is so long.
const LONGEST: usize = 600;

/// File names that do not describe the content.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "manager", "common", "data", "misc"];

/// Where unsafe code is allowed, by the beginning of the path: the crates at a boundary (C++, the
/// machine, loaded libraries, C hosts), the files where code generators vouch for their code, the
/// files of the engine that write slots, take addresses from outside or vouch for cached code, the
/// files of the command that run before `main`, and tests that run code without an engine.
const UNSAFE_ALLOWED: &[&str] = &[
    "crates/llvm-orc/",
    "crates/kaleidoscope-native/",
    "crates/kaleidoscope-plugin/",
    "crates/kaleidoscope-capi/",
    "crates/kaleidoscope-llvm-plugin/",
    "crates/kaleidoscope-ir/src/compile.rs",
    "crates/kaleidoscope-llvm/src/backend.rs",
    "crates/kaleidoscope-llvm/src/lower/debug_info/declare.rs",
    "crates/kaleidoscope-jit/src/code.rs",
    "crates/kaleidoscope-jit/src/code_cache/generator.rs",
    "crates/kaleidoscope-jit/src/exit_buffer.rs",
    "crates/kaleidoscope-jit/src/runtime.rs",
    "crates/kaleidoscope/src/raw.rs",
    // Memory of NumPy; a signal handler.
    "crates/kaleidoscope-python/src/columns.rs",
    "crates/kaleidoscope-python/src/ctrl_c.rs",
    "crates/kaleidoscope-cli/src/closed_output.rs",
    "crates/kaleidoscope-cli/src/out_of_memory.rs",
    // Makes hostile environments.
    "crates/hostile-environments/src/process.rs",
    "crates/hostile-environments/src/arch/",
    // Code generators of tests, which generate no code, or give functions of the test.
    "crates/kaleidoscope-jit/src/compile_queue/tests.rs",
    "crates/kaleidoscope/tests/engine/backend.rs",
    "crates/kaleidoscope/tests/engine/gated_backend.rs",
    // Fork, change the settings of signals, and limit the process.
    "crates/kaleidoscope/tests/engine/process_fork.rs",
    "crates/kaleidoscope/tests/engine/signal_settings.rs",
    "crates/kaleidoscope/tests/engine/thread_limits.rs",
    // Sets the floating-point mode.
    "crates/kaleidoscope/tests/engine/arch/",
    // Callers of raw calls.
    "crates/kaleidoscope/tests/engine/arrays/raw_calls.rs",
    "crates/kaleidoscope/tests/engine/deoptimization/raw_calls.rs",
    "crates/kaleidoscope/tests/engine/functions.rs",
    "benches/src/bin/calls.rs",
    "benches/embedding/src/peers.rs",
    // Callers of code without an engine.
    "tests/tests/all/baseline/machine.rs",
    "tests/tests/all/optimized/native",
];

/// Marks of unfinished work, cut in two so that this file does not trip over itself.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Code that hides work not done, or a test that does not test.
const HIDING: &[(&str, &str)] = &[
    ("todo!", "the work is to be done"),
    ("unimplemented!", "the work is to be done"),
    ("#[ignore", "a test is run or deleted"),
    ("#[should_panic", "the test says which error it expects"),
    ("thread::sleep", "a test waits for an event, never for a time"),
];

/// What the rules found in one file.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) complaints: Vec<String>,
    pub(crate) n_unsafe_blocks: usize,
}

/// Applies every rule to every Rust file.
pub(super) fn check_all(sources: &[Source]) -> Vec<Complaint> {
    let rust = sources.iter().filter(|source| source.is_rust());
    let all = rust.flat_map(|source| {
        let complaints = check(source).complaints.into_iter();
        complaints.map(|message| Complaint::new(source, 0, message))
    });
    all.collect()
}

/// The counts of unsafe blocks by crate, without crates that have none.
pub(super) fn count_unsafe_blocks(sources: &[Source]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        let report = check(source);
        if report.n_unsafe_blocks > 0 {
            *counts.entry(crate_of(&source.path)).or_default() += report.n_unsafe_blocks;
        }
    }
    counts
}

/// Applies every rule to the file.
pub(super) fn check(source: &Source) -> Report {
    let (path, text, parts) = (source.path.as_str(), source.text.as_str(), source.parts());
    let unsafe_words = words(&parts.code).filter(|(_, word)| *word == "unsafe");
    let blocks = unsafe_words.clone().filter(|(end, _)| parts.code[*end..].trim_start().starts_with('{'));

    let mut complaints = Vec::new();
    complaints.extend(header(text));
    complaints.extend(name(path));
    if unsafe_words.clone().next().is_some()
        && !UNSAFE_ALLOWED.iter().any(|allowed| path.starts_with(allowed))
    {
        complaints
            .push("unsafe code is allowed only in the paths listed in xtask/src/tidy/file.rs".to_owned());
    }
    for mark in UNFINISHED {
        if words(&parts.comments).any(|(_, word)| word == *mark) {
            complaints.push(format!("`{mark}`: finish it, or write it where plans are kept"));
        }
    }
    for (hidden, reason) in HIDING {
        if parts.code.contains(hidden) {
            complaints.push(format!("`{hidden}`: {reason}"));
        }
    }
    complaints.extend(linker_names(path, parts));
    Report { complaints, n_unsafe_blocks: blocks.count() }
}

/// The words of a text, each with the position behind it.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> + Clone {
    text.split(|c: char| c != '_' && !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - text.as_ptr() as usize + word.len(), word))
}

fn header(text: &str) -> Option<String> {
    if !text.starts_with("//!") {
        return Some("the file does not open with `//!`: what it does, what it relies on".to_owned());
    }
    let n_lines = text.lines().count();
    let header: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
    (n_lines > LONGEST && !header.contains("lines")).then(|| {
        format!("{n_lines} lines, and the header does not say why there are more than {LONGEST} lines")
    })
}

fn name(path: &str) -> Option<String> {
    let mut parts = path.trim_end_matches(".rs").split('/');
    let empty = parts.find(|part| EMPTY_NAMES.contains(part))?;
    Some(format!("`{empty}` does not describe the file: choose another name"))
}

/// Linker names are spelled in one file, so that a change cannot miss a copy.
fn linker_names(path: &str, parts: &Parts) -> Option<String> {
    let spelled = parts.strings.contains(concat!("$", "impl"));
    let allowed = path.ends_with("/symbols.rs") || path.ends_with("tests.rs") || path.contains("/tests/");
    (spelled && !allowed).then(|| "linker names are spelled in `symbols.rs` and nowhere else".to_owned())
}

#[cfg(test)]
mod tests;
