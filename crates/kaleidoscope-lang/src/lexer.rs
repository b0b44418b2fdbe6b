//! Lexer: makes tokens of text, one at a time and only when asked.
//!
//! The lexer cannot run ahead of the parser, because a definition changes which operators exist in
//! the text behind it. For the same reason it does not split operators. A run of operator
//! characters is one token, and the parser takes the longest operator that exists there.

#[cfg(test)]
mod tests;

use crate::operator::is_operator_character;
use crate::source::Span;
use crate::token::{Keyword, LAST_CHAPTER, Token, TokenKind};

/// The tokens of a text, for tools that show it. Runs of operator characters stay whole, because
/// only a program's definitions tell which operators they have. Comments and space are left out.
/// `has_conventions`: whether the words of the prelude are keywords.
///
/// ```
/// use kaleidoscope_lang::token::TokenKind;
///
/// let kinds: Vec<_> = kaleidoscope_lang::tokens("x+-1 # one", false).iter().map(|token| token.kind).collect();
/// assert_eq!(kinds, [TokenKind::Identifier, TokenKind::Operators, TokenKind::Number]);
/// ```
pub fn tokens(text: &str, has_conventions: bool) -> Vec<Token> {
    let mut lexer = Lexer::new(text, 0);
    lexer.set_conventions(has_conventions);
    std::iter::from_fn(|| Some(lexer.next_token()).filter(|token| token.kind != TokenKind::End)).collect()
}

/// A position in a text, from which tokens are read.
#[derive(Debug)]
pub(crate) struct Lexer<'t> {
    text: &'t str,
    offset: usize,
    /// Whether the offset is inside a comment.
    in_comment: bool,
    reached_end: bool,
    has_conventions: bool,
    /// The chapter of the tutorial whose keywords there are.
    chapter: u8,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t str, offset: usize) -> Self {
        Self::resume(text, offset, false)
    }

    /// A lexer that continues where [`Self::pass_space`] came to, with more text.
    pub(crate) fn resume(text: &'t str, offset: usize, in_comment: bool) -> Self {
        Self { text, offset, in_comment, reached_end: false, has_conventions: false, chapter: LAST_CHAPTER }
    }

    /// Makes the words of the prelude keywords, or ordinary names.
    pub(crate) fn set_conventions(&mut self, has_conventions: bool) {
        self.has_conventions = has_conventions;
    }

    /// Makes the keywords of later chapters of the tutorial ordinary names.
    pub(crate) fn set_chapter(&mut self, chapter: u8) {
        self.chapter = chapter;
    }

    /// Whether a token so far ended at the end of the text, so that more text could change the
    /// token.
    pub(crate) fn reached_end(&self) -> bool {
        self.reached_end
    }

    /// Whether the text ends at this offset, with a `.`.
    pub(crate) fn ends_with_point(&self, offset: u32) -> bool {
        offset as usize == self.text.len() && self.text.ends_with('.')
    }

    pub(crate) fn slice(&self, span: Span) -> &'t str {
        &self.text[span.range()]
    }

    /// As [`Self::slice`]; `None` outside the text and not at the edges of characters.
    pub(crate) fn slice_if(&self, span: Span) -> Option<&'t str> {
        self.text.get(span.range())
    }

    /// Moves over space and comments. Returns the offset behind them, and whether it is inside a
    /// comment, which more text may continue.
    pub(crate) fn pass_space(&mut self) -> (usize, bool) {
        let start = self.offset;
        self.skip_space_and_comments();
        note_work(self.offset - start);
        (self.offset, self.in_comment)
    }

    /// Moves over space, comments and `;`, and returns what [`Self::pass_space`] does.
    pub(crate) fn pass_empty_items(&mut self) -> (usize, bool) {
        loop {
            let place = self.pass_space();
            if self.byte() != Some(b';') {
                return place;
            }
            self.offset += 1;
        }
    }

    /// Whether no text is left.
    pub(crate) fn at_end(&self) -> bool {
        self.offset == self.text.len()
    }

    /// The next token. At the end of the text every call returns [`TokenKind::End`].
    pub(crate) fn next_token(&mut self) -> Token {
        self.pass_space();
        let token = self.token_here();
        note_work(token.span.range().len());
        token
    }

    fn token_here(&mut self) -> Token {
        let start = self.offset;
        let kind = match self.byte() {
            None => {
                self.reached_end = true;
                TokenKind::End
            }
            Some(b'(') => self.single(TokenKind::OpenParenthesis),
            Some(b')') => self.single(TokenKind::CloseParenthesis),
            Some(b',') => self.single(TokenKind::Comma),
            Some(b';') => self.single(TokenKind::Semicolon),
            Some(byte) if byte.is_ascii_alphabetic() => self.word(),
            Some(_) if self.at_number() => self.number(),
            Some(byte) if is_operator_character(byte) => self.operators(),
            Some(_) => {
                self.offset += self.text[start..].chars().next().map_or(1, char::len_utf8);
                TokenKind::Unknown
            }
        };
        Token { kind, span: Span::new(start as u32, self.offset as u32) }
    }

    fn byte(&self) -> Option<u8> {
        self.byte_at(self.offset)
    }

    fn byte_at(&self, offset: usize) -> Option<u8> {
        self.text.as_bytes().get(offset).copied()
    }

    fn single(&mut self, kind: TokenKind) -> TokenKind {
        self.offset += 1;
        kind
    }

    /// Moves over bytes that match, and notes if the end of the text ended them.
    fn skip_while(&mut self, mut pleases: impl FnMut(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.offset..];
        let n_bytes = rest.iter().position(|&byte| !pleases(byte));
        self.reached_end |= n_bytes.is_none();
        self.offset += n_bytes.unwrap_or(rest.len());
    }

    fn skip_space_and_comments(&mut self) {
        if self.in_comment {
            self.skip_comment();
        }
        while let Some(byte) = self.byte() {
            match byte {
                b' ' | b'\t'..=b'\r' => self.offset += 1,
                b'#' => self.skip_comment(),
                // Copying from a web page can bring spaces beyond ASCII; some editors write a byte
                // order mark.
                0x80.. => match self.text[self.offset..].chars().next() {
                    Some(space) if space.is_whitespace() || (space == '\u{feff}' && self.offset == 0) => {
                        self.offset += space.len_utf8();
                    }
                    _ => return,
                },
                _ => return,
            }
        }
    }

    fn skip_comment(&mut self) {
        self.skip_while(|byte| byte != b'\n' && byte != b'\r');
        self.in_comment = self.offset == self.text.len();
    }

    fn word(&mut self) -> TokenKind {
        let start = self.offset;
        self.skip_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let word = &self.text[start..self.offset];
        let keyword = Keyword::new(word, self.has_conventions);
        let keyword = keyword.filter(|keyword| keyword.chapter() <= self.chapter);
        keyword.map_or(TokenKind::Identifier, TokenKind::Keyword)
    }

    /// A run of operator characters. A `.` before a digit starts a number and ends the run.
    fn operators(&mut self) -> TokenKind {
        while self.byte().is_some_and(is_operator_character) && !self.at_number() {
            self.offset += 1;
        }
        self.reached_end |= self.offset == self.text.len();
        TokenKind::Operators
    }

    /// Whether a number starts or continues here: at a digit, or at a `.` before a digit.
    fn at_number(&self) -> bool {
        let digit_at = |offset| self.byte_at(offset).is_some_and(|byte| byte.is_ascii_digit());
        digit_at(self.offset) || (self.byte() == Some(b'.') && digit_at(self.offset + 1))
    }

    fn number(&mut self) -> TokenKind {
        let mut well_formed = true;
        self.skip_while(|byte| byte.is_ascii_digit());
        if self.byte() == Some(b'.') {
            self.offset += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.offset += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.offset += 1;
            }
            well_formed = self.byte().is_some_and(|byte| byte.is_ascii_digit());
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        // Characters that continue a number or a word belong to the mistake: `1.2.3`, `12abc`.
        while self.at_number() || self.byte().is_some_and(|byte| byte.is_ascii_alphabetic()) {
            well_formed = false;
            self.offset += 1;
            self.skip_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        }
        // The number continues if a digit follows a `.` at the end of the text.
        self.reached_end |= matches!(self.text.as_bytes()[self.offset..], [] | [b'.']);
        if well_formed { TokenKind::Number } else { TokenKind::MalformedNumber }
    }
}

#[cfg(test)]
thread_local! {
    static N_BYTES_LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts the bytes that lexers look at, so that tests see when text is read again and again.
fn note_work(n_bytes: usize) {
    #[cfg(test)]
    N_BYTES_LOOKED_AT.with(|total| total.set(total.get() + n_bytes));
    #[cfg(not(test))]
    let _ = n_bytes;
}

/// The bytes that the lexers of this thread looked at since the last call.
#[cfg(test)]
pub(crate) fn take_work() -> usize {
    N_BYTES_LOOKED_AT.take()
}

/// Whether the text is a name that a program can give to a variable or a function.
pub fn is_name(text: &str) -> bool {
    is_name_with(text, false)
}

/// As [`is_name`], for a program that has the conventions or not.
pub(crate) fn is_name_with(text: &str, has_conventions: bool) -> bool {
    let mut lexer = Lexer::new(text, 0);
    lexer.set_conventions(has_conventions);
    let token = lexer.next_token();
    token.kind == TokenKind::Identifier && token.span.range() == (0..text.len())
}
