//! Lines of comments and Markdown have at most 100 columns.
//!
//! Tables, code blocks and the targets of links are exempt, because they cannot be broken.

use super::{Complaint, Source};

const WIDEST: usize = 100;

pub(super) fn check(sources: &[Source]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for source in sources {
        let lines: Vec<String> = match source.path.rsplit('.').next() {
            Some("rs") => source.parts().comments.lines().map(str::to_owned).collect(),
            Some("md") => source.text.lines().map(str::to_owned).collect(),
            Some("toml" | "sh" | "kal" | "py" | "pyi") => comments(&source.text, "#"),
            _ => comments(&source.text, "//"),
        };
        let mut is_code = false;
        for (idx, line) in lines.iter().enumerate() {
            let text = line.trim_start_matches([' ', '/', '!', '#']);
            if text.starts_with("```") {
                is_code = !is_code;
            }
            let width = columns(line.trim_end());
            if width > WIDEST && !is_code && !text.starts_with('|') {
                complaints.push(Complaint::new(source, idx + 1, format!("{width} columns")));
            }
        }
    }
    complaints
}

/// The lines that are comments; others are left empty.
fn comments(text: &str, mark: &str) -> Vec<String> {
    let line = |line: &str| if line.trim_start().starts_with(mark) { line.to_owned() } else { String::new() };
    text.lines().map(line).collect()
}

/// The width without the targets of links and without bare addresses.
fn columns(line: &str) -> usize {
    let mut n_columns = line.chars().count();
    for (begin, ends) in [("](", &[')'][..]), ("http", &[' ', ')', '>', ','])] {
        let mut rest = line;
        while let Some(at) = rest.find(begin) {
            let target = &rest[at + begin.len()..];
            let length = target.find(ends).unwrap_or(target.len());
            // An address inside a target has been counted with it.
            if begin == "](" || !rest[..at].ends_with("](") {
                n_columns = n_columns.saturating_sub(target[..length].chars().count());
            }
            rest = &target[length..];
        }
    }
    n_columns
}

#[cfg(test)]
mod tests;
