//! Project rules that a program can check. CONTRIBUTING.md explains each rule.
//!
//! A rule is a function from the project's files to complaints, so that its tests need no files.
//! This file finds the files, applies the rules and prints the complaints.

mod arrows;
mod file;
mod lexer;
mod machine;
mod modules;
mod operations;
mod references;
mod width;
mod words;

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use crate::header;
use crate::steps::root;
use lexer::Parts;

/// Folders without hand-written files.
const PASSED_OVER: &[&str] = &["target", "corpus", "found", "artifacts", "node_modules"];

/// Extensions of the files that rules read.
const ENDINGS: &[&str] = &["rs", "md", "toml", "sh", "h", "c", "cpp", "hpp", "kal", "py", "pyi"];

/// A file of the project.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root, with `/` between the parts.
    path: String,
    text: String,
    /// The text of a Rust file, cut when a rule first asks.
    parts: OnceCell<Parts>,
}

impl Source {
    fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), parts: OnceCell::new() }
    }

    /// The parts of a Rust file.
    fn parts(&self) -> &Parts {
        self.parts.get_or_init(|| lexer::cut(&self.text))
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Returns whether the path is one of a test or a benchmark.
    fn is_test(&self) -> bool {
        let path = &self.path;
        let folders = ["/tests/", "/benches/", "/examples/"];
        path.ends_with("/tests.rs")
            || path.starts_with("tests/")
            || path.starts_with("benches/")
            || path.starts_with("fuzz/")
            || folders.iter().any(|folder| path.contains(folder))
    }
}

/// A place that breaks a rule.
#[derive(Debug)]
pub(crate) struct Complaint {
    path: String,
    /// Line number from 1, or 0 for the whole file.
    line: usize,
    message: String,
}

impl Complaint {
    fn new(source: &Source, line: usize, message: impl Into<String>) -> Self {
        Self { path: source.path.clone(), line, message: message.into() }
    }
}

/// A rule.
struct Rule {
    name: &'static str,
    check: fn(&[Source]) -> Vec<Complaint>,
}

const RULES: &[Rule] = &[
    Rule { name: "files", check: file::check_all },
    Rule { name: "cycles", check: modules::check },
    Rule { name: "operations", check: operations::check },
    Rule { name: "machine", check: machine::check },
    Rule { name: "references", check: references::check },
    Rule { name: "words", check: words::check },
    Rule { name: "width", check: width::check },
];

/// Options of the chore `tidy`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Print only complaints about paths that begin with it.
    below: String,
    /// Print only complaints of this rule.
    rule: Option<String>,
}

impl Options {
    /// Reads the options of the chore `tidy`.
    ///
    /// # Errors
    ///
    /// If an option is unknown or has an invalid value, in one sentence.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            match argument {
                "--rule" => {
                    let name = arguments.next().ok_or("`--rule` lacks its value")?;
                    if RULES.iter().all(|rule| rule.name != *name) {
                        let names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
                        return Err(format!("there is no rule `{name}`, but {}", names.join(", ")));
                    }
                    options.rule = Some((*name).to_owned());
                }
                _ if argument.starts_with('-') => return Err(format!("`tidy` has no option `{argument}`")),
                path => options.below = path.trim_start_matches("./").to_owned(),
            }
        }
        Ok(options)
    }
}

/// Checks the whole project and prints the count of unsafe blocks.
///
/// # Errors
///
/// Reports the number of complaints. Each complaint is printed.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let root = root();
    let sources = sources(&root)?;
    let mut n_complaints = 0;
    if options.rule.is_none() {
        let mut complaints: Vec<String> = header::check(&root)?.into_iter().collect();
        for manifest in arrows::MANIFESTS {
            complaints.extend(arrows::check(&arrows::metadata(&root, manifest)?));
        }
        for complaint in complaints {
            eprintln!("{complaint}");
            n_complaints += 1;
        }
        for (name, count) in file::count_unsafe_blocks(&sources) {
            println!("unsafe blocks in {name}: {count}");
        }
    }
    let chosen = RULES.iter().filter(|rule| options.rule.as_ref().is_none_or(|name| rule.name == name));
    for rule in chosen {
        for Complaint { path, line, message } in (rule.check)(&sources) {
            if !path.starts_with(&options.below) {
                continue;
            }
            let place = if line == 0 { path } else { format!("{path}:{line}") };
            eprintln!("{place}: {}: {message}", rule.name);
            n_complaints += 1;
        }
    }
    if n_complaints == 0 { Ok(()) } else { Err(format!("{n_complaints} places break the project's rules")) }
}

/// `crates/llvm-orc/src/lib.rs` belongs to `llvm-orc`, `tests/src/lib.rs` to `tests`, and
/// `README.md` to itself.
fn crate_of(path: &str) -> String {
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    if first == "crates" { parts.next().unwrap_or_default().to_owned() } else { first.to_owned() }
}

/// Reads all files that rules check, in order.
fn sources(root: &Path) -> Result<Vec<Source>, String> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        let entries = fs::read_dir(&folder)
            .map_err(|error| format!("{} cannot be listed: {error}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            if path.is_dir() {
                if !name.starts_with('.') && !PASSED_OVER.contains(&&*name) {
                    waiting.push(path);
                }
            } else if path.extension().is_some_and(|found| ENDINGS.iter().any(|ending| found == *ending)) {
                let text = fs::read_to_string(&path)
                    .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
                let relative = path.strip_prefix(root).expect("the walk begins at the root");
                found.push(Source::new(relative.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

#[cfg(test)]
mod tests;
