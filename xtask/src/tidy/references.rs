//! What documents name exists: files, folders, functions.
//!
//! Checked are, in Markdown outside code blocks, the targets of relative links, and the paths,
//! file names and names like `Core::apply` between backticks. In comments of Rust, paths of the
//! project's crates are checked. Files of other projects are named by a link to them.

use std::collections::{BTreeSet, HashSet};

use super::{Complaint, Source};
use crate::steps::root;

/// Beginnings of paths that count from the project's root.
const FROM_ROOT: &[&str] =
    &["crates/", "docs/", "tests/", "benches/", "fuzz/", "xtask/", "setup/", "examples/"];

/// Beginnings of paths in comments of Rust that are surely the project's.
const CRATES: &[&str] = &["crates/kaleidoscope", "crates/llvm-orc"];

/// The file whose tables have old names beside new ones.
const CHANGELOG: &str = "CHANGELOG.md";

/// Folders that exist only after a command was run.
const GENERATED: &[&str] = &["target/", "fuzz/found"];

pub(super) fn check(sources: &[Source]) -> Vec<Complaint> {
    let project = Project::new(sources);
    let mut complaints = Vec::new();
    for source in sources {
        let is_markdown = source.path.ends_with(".md");
        let text = match (is_markdown, source.is_rust()) {
            (true, _) => source.text.clone(),
            (false, true) => source.parts().comments.clone(),
            (false, false) => continue,
        };
        let mut is_code = false;
        for (idx, line) in text.lines().enumerate() {
            if line.trim_start_matches([' ', '/', '!']).starts_with("```") {
                is_code = !is_code;
            }
            let is_history = source.path == CHANGELOG && line.starts_with('|');
            if is_code || is_history {
                continue;
            }
            let missing = match is_markdown {
                true => project.missing_in_markdown(&source.path, line),
                false => spans(line).filter(|span| project.lacks_path(CRATES, &source.path, span)).collect(),
            };
            complaints.extend(
                missing
                    .into_iter()
                    .map(|name| Complaint::new(source, idx + 1, format!("`{name}` does not exist"))),
            );
        }
    }
    complaints
}

/// What exists.
struct Project<'a> {
    /// The paths of all files, and of the folders that they are in.
    paths: BTreeSet<&'a str>,
    /// The words of all Rust code.
    words: HashSet<String>,
}

impl<'a> Project<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let mut paths = BTreeSet::new();
        let mut words = HashSet::new();
        for source in sources {
            paths.insert(&*source.path);
            paths.extend(source.path.match_indices('/').map(|(at, _)| &source.path[..at]));
            if source.is_rust() {
                let code = &source.parts().code;
                let found = code.split(|c: char| !c.is_alphanumeric() && c != '_');
                words.extend(found.filter(|word| !word.is_empty()).map(str::to_owned));
            }
        }
        Self { paths, words }
    }

    /// What a line of Markdown names and does not exist.
    fn missing_in_markdown<'t>(&self, path: &str, line: &'t str) -> Vec<&'t str> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let links =
            line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        let links = links.filter(|target| is_relative_path(target)).filter(|target| {
            let file = target.split('#').next().unwrap_or_default();
            !self.exists(&joined(folder, file))
        });
        let names = spans(line).filter(|span| {
            self.lacks_path(FROM_ROOT, path, span) || self.lacks_file(span) || self.lacks_function(span)
        });
        links.chain(names).collect()
    }

    /// Whether a path from the root, or from the folder of the document's crate, does not exist.
    fn lacks_path(&self, beginnings: &[&str], document: &str, span: &str) -> bool {
        let is_path = span.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
        if !is_path || !beginnings.iter().any(|beginning| span.starts_with(beginning)) {
            return false;
        }
        let of_crate = document.split('/').take(2).collect::<Vec<_>>().join("/");
        !self.exists(span) && !self.exists(&joined(&of_crate, span))
    }

    /// Whether the span is a file name such as `osr.rs`, or the end of a path, and no file ends so.
    fn lacks_file(&self, span: &str) -> bool {
        let Some(stem) = span.strip_suffix(".rs") else { return false };
        let is_example = stem.split('/').next().is_some_and(|name| name.len() == 1);
        let is_name = stem.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "/_".contains(c));
        is_name
            && !is_example
            && !self.paths.iter().any(|path| {
                path.strip_suffix(span).is_some_and(|before| before.is_empty() || before.ends_with('/'))
            })
    }

    /// Whether the span is a name such as `Core::apply`, and a part of it occurs in no code; or one
    /// such as `tiers::a_test`, and its last part does not. Those of Rust's library count as known.
    fn lacks_function(&self, span: &str) -> bool {
        let parts: Vec<_> = span.split("::").collect();
        let is_word = |part: &&str| {
            part.starts_with(char::is_alphabetic) && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        let [first, .., last] = parts[..] else { return false };
        if !parts.iter().all(is_word) {
            return false;
        }
        if first.starts_with(char::is_uppercase) {
            return parts.len() == 2 && parts.iter().any(|part| !self.words.contains(*part));
        }
        !matches!(first, "std" | "core") && !self.words.contains(last)
    }

    fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty()
            || self.paths.contains(path)
            || GENERATED.iter().any(|generated| path.starts_with(generated))
            // Files with other endings are not read.
            || root().join(path).exists()
    }
}

/// What is between backticks.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a link's target is a file of the project, by its form.
fn is_relative_path(target: &str) -> bool {
    let is_elsewhere = target.contains("://") || target.starts_with('#') || target.contains("::");
    !is_elsewhere && target.contains(['/', '.']) && !target.ends_with(".html") && !target.contains(' ')
}

/// The path of a target, seen from a folder.
fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests;
