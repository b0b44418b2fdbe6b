//! Rust text cut into code, comments and literals: as much of Rust's syntax as the rules need.
//!
//! A rule about code must not find a word of a comment or a string, nor the other way round. Each
//! cut has the length and the lines of the text, with blanks in the place of the other parts.

/// The text three times: only code, only comments, only the insides of string literals.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) code: String,
    pub(crate) comments: String,
    pub(crate) strings: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    String,
}

/// Cuts the text.
pub(crate) fn cut(text: &str) -> Parts {
    let mut kinds = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let (length, kind) = next_piece(rest, first, before);
        kinds.resize(kinds.len() + length, kind);
        before = rest[..length].chars().next_back().unwrap_or(' ');
        rest = &rest[length..];
    }
    let only = |wanted| {
        text.char_indices().map(|(at, c)| if kinds[at] == wanted || c == '\n' { c } else { ' ' }).collect()
    };
    Parts { code: only(Kind::Code), comments: only(Kind::Comment), strings: only(Kind::String) }
}

/// The length in bytes of the piece at the front, and what it is.
fn next_piece(rest: &str, first: char, before: char) -> (usize, Kind) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Kind::Comment);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), Kind::Comment);
    }
    if first == '"' {
        return (string(rest), Kind::String);
    }
    if first == 'r' && !is_word(before) {
        let n_hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
        if rest[1 + n_hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(n_hashes));
            let inside = &rest[2 + n_hashes..];
            let length = inside.find(&end).map_or(rest.len(), |at| 2 + n_hashes + at + end.len());
            return (length, Kind::String);
        }
    }
    if first == '\''
        && let Some(length) = character(rest)
    {
        return (length, Kind::String);
    }
    (first.len_utf8(), Kind::Code)
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal; `None` for a lifetime, which has no closing quote where a literal has one.
fn character(rest: &str) -> Option<usize> {
    let mut inside = rest[1..].char_indices();
    let (_, first) = inside.next()?;
    if first == '\\' {
        inside.next()?;
        return rest[3..].find('\'').map(|at| at + 4);
    }
    let (at, closing) = inside.next()?;
    (closing == '\'').then_some(at + 2)
}

#[cfg(test)]
mod tests;
