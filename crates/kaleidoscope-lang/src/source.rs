//! Source text: the text of a program, and offsets, lines and columns in it.
//!
//! A line ends with `\n`, `\r\n` or `\r`. Offsets are bytes into the whole text, however the text
//! arrived. A pipe's text grows chunk by chunk, and offsets into it stay valid. The source notes
//! the start of each line while the text grows, so finding a line and column is a binary search.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

/// A span of the text: the bytes from `start` up to but not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first byte in the whole text.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// The span from `start` to `end`.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The span from the start of this span to the end of `other`.
    pub const fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }

    /// The offsets as a range, for slicing.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Line and column, both from 1. The column counts characters, not bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The character in the line, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A text with its name. Clones share the text; a clone does not change when the reader's text
/// grows.
#[derive(Clone)]
pub struct Source(Arc<Text>);

#[derive(Clone)]
struct Text {
    name: Arc<str>,
    text: String,
    /// Offset of the first byte of each line; the first entry is 0.
    line_starts: Vec<u32>,
    /// Offset of the last `;` outside comments. An item ends there.
    last_semicolon: Option<u32>,
    in_comment: bool,
    n_characters: u32,
    /// The number of characters that begin before each block of [`BLOCK`] bytes.
    characters_before: Vec<u32>,
}

/// The most bytes in which characters are counted for a column. In a long line, counting from its
/// start for each diagnostic would take quadratic time.
const BLOCK: usize = 4096;

impl Source {
    /// A source with this text.
    pub fn new(name: &str, text: &str) -> Self {
        let mut source = Self(Arc::new(Text {
            name: name.into(),
            text: String::new(),
            line_starts: vec![0],
            last_semicolon: None,
            in_comment: false,
            n_characters: 0,
            characters_before: Vec::new(),
        }));
        source.push(text);
        source
    }

    /// The name that diagnostics show: a path, `<stdin>` or the like.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The text at `span`; empty if the source has no such span.
    pub fn slice(&self, span: Span) -> &str {
        self.0.text.get(span.range()).unwrap_or("")
    }

    /// Line and column of the byte at `offset`. An offset behind the end means the end.
    pub fn position(&self, offset: u32) -> Position {
        let line_idx = self.line_idx(offset);
        let start = self.0.line_starts[line_idx] as usize;
        let end = (offset as usize).clamp(start, self.0.text.len());
        let n_before = self.characters_before(end) - self.characters_before(start);
        Position { line: line_idx as u32 + 1, column: n_before + 1 }
    }

    /// The line of the byte at `offset`, from 1.
    pub fn line(&self, offset: u32) -> u32 {
        self.line_idx(offset) as u32 + 1
    }

    /// The number of characters that begin before the offset.
    fn characters_before(&self, offset: usize) -> u32 {
        let Some(&n_before_block) = self.0.characters_before.get(offset / BLOCK) else {
            return self.0.n_characters;
        };
        let in_block = &self.0.text.as_bytes()[offset / BLOCK * BLOCK..offset];
        n_before_block + in_block.iter().filter(|&&byte| !is_continuation(byte)).count() as u32
    }

    /// The line of the byte at `offset`, without its line end.
    pub fn line_span(&self, offset: u32) -> Span {
        let line_idx = self.line_idx(offset);
        let start = self.0.line_starts[line_idx];
        let end = match self.0.line_starts.get(line_idx + 1) {
            Some(&next) => next - 1,
            None => self.0.text.len() as u32,
        };
        let line = Span::new(start, end);
        let line_end = if self.slice(line).ends_with('\r') { 1 } else { 0 };
        Span::new(start, end - line_end)
    }

    fn line_idx(&self, offset: u32) -> usize {
        self.0.line_starts.partition_point(|&start| start <= offset) - 1
    }

    /// Adds text at the end. Copies the whole text if a clone of this source exists.
    pub(crate) fn push(&mut self, more: &str) {
        let text = Arc::make_mut(&mut self.0);
        let mut before = text.text.bytes().next_back();
        for (idx, byte) in (text.text.len()..).zip(more.bytes()) {
            if idx % BLOCK == 0 {
                text.characters_before.push(text.n_characters);
            }
            text.n_characters += u32::from(!is_continuation(byte));
            match byte {
                b'\n' | b'\r' => {
                    text.in_comment = false;
                    // `\r\n` is one line end.
                    if byte == b'\n' && before == Some(b'\r') {
                        text.line_starts.pop();
                    }
                    text.line_starts.push(idx as u32 + 1);
                }
                b'#' => text.in_comment = true,
                b';' if !text.in_comment => text.last_semicolon = Some(idx as u32),
                _ => {}
            }
            before = Some(byte);
        }
        text.text.push_str(more);
    }

    pub(crate) fn last_semicolon(&self) -> Option<u32> {
        self.0.last_semicolon
    }
}

/// Whether a byte of UTF-8 is not the first byte of its character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.0.name).field("bytes", &self.0.text.len()).finish()
    }
}
