//! Reader: reads a growing text item by item.
//!
//! Each item is read with the names that exist then, so the reader looks no further than the
//! item's end. Text may arrive in pieces of any size. The reader returns an item only when no
//! further text can change it.

#[cfg(test)]
mod tests;

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::item::Read;
use crate::lexer::Lexer;
use crate::names::Names;
use crate::parser::Parser;
use crate::resolve::{PositionRecorder, Workspace, resolve};
use crate::source::{Source, Span};
use crate::syntax::{self, Tree};
use crate::token::{Keyword, Token, TokenKind};

/// The length, in bytes, up to which an unfinished item is read again whenever text arrives.
const SMALL: usize = 1024;

/// Reads a text item by item.
///
/// ```
/// use kaleidoscope_lang::{names::Names, reader::Reader};
///
/// let mut names = Names::new();
/// let mut reader = Reader::new("example");
/// reader.push("def double(x) 2*x; double(21)");
/// reader.finish();
/// let mut n_items = 0;
/// while let Some(read) = reader.read(&names) {
///     names.commit(&read.item.ok_or("a mistake in the text")?);
///     n_items += 1;
/// }
/// assert_eq!(n_items, 2);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    source: Source,
    /// The offset up to which the text has been read: behind the last item, and behind the space
    /// and the comments there.
    offset: usize,
    /// Whether the offset is inside a comment.
    in_comment: bool,
    finished: bool,
    too_long: bool,
    /// Whether the rest of an item with a mistake in form is skipped when it arrives.
    skipping: bool,
    /// The text's length when the item at `offset` was last found unfinished.
    tried_to: usize,
    tree: Tree,
    item: Option<syntax::Item>,
    workspace: Workspace,
    tokens: Option<Vec<Token>>,
    /// The most bytes that an item may have.
    longest_item: usize,
}

/// The meaning of the end of the text so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TextEnd {
    /// No more text comes.
    Final,
    /// More text may come, even inside a word.
    Open,
    /// More text may come, but an item that is complete here is meant to be: a line at a terminal.
    OfLine,
}

impl Reader {
    /// A reader of an empty text. Diagnostics show the name.
    pub fn new(name: &str) -> Self {
        Self {
            source: Source::new(name, ""),
            offset: 0,
            in_comment: false,
            finished: false,
            too_long: false,
            skipping: false,
            tried_to: 0,
            tree: Tree::new(),
            item: None,
            workspace: Workspace::default(),
            tokens: None,
            longest_item: usize::MAX,
        }
    }

    /// Limits the length of items. A longer item is a mistake in form, found as soon as that much
    /// text has arrived, so an item without an end does not fill the memory.
    pub fn limit_items(&mut self, n_bytes: usize) {
        self.longest_item = n_bytes;
    }

    /// Adds text at the end. The text may end anywhere, even inside a word.
    ///
    /// A [`Source`] that was returned earlier does not change. While one exists, each push copies
    /// the text.
    pub fn push(&mut self, text: &str) {
        if self.source.text().len() + text.len() >= u32::MAX as usize {
            self.too_long = true;
        }
        if !self.too_long {
            self.source.push(text);
        }
    }

    /// Says that no more text comes.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// All text so far, for rendering diagnostics.
    pub fn source(&self) -> Source {
        self.source.clone()
    }

    /// The line of the byte at this offset, from 1.
    pub fn line(&self, offset: u32) -> u32 {
        self.source.line(offset)
    }

    /// The text at `span`.
    pub fn slice(&self, span: Span) -> &str {
        self.source.slice(span)
    }

    /// Keeps the positions of operations from now on, for debug information. The text is that of
    /// the reader's name as a file, whose path is relative to this folder.
    pub fn keep_positions(&mut self, directory: &str) {
        let file = self.source.name().into();
        self.workspace.positions = Some(Box::new(PositionRecorder::new(directory.into(), file)));
    }

    /// Notes the tokens of each item from now on, for [`Reader::tokens`].
    pub fn keep_tokens(&mut self) {
        self.tokens.get_or_insert_default();
    }

    /// The tokens of the item read last, if they are kept. An item with a mistake in form has
    /// those before the mistake.
    pub fn tokens(&self) -> &[Token] {
        self.tokens.as_deref().unwrap_or_default()
    }

    /// The syntax tree of the item read last. `None` if the item has a mistake in form or lacks an
    /// operator.
    pub fn syntax(&self) -> Option<(&Tree, &syntax::Item)> {
        Some((&self.tree, self.item.as_ref()?))
    }

    /// Reads the next item with these names. Changes no names. `None` if no complete item has
    /// arrived.
    pub fn read(&mut self, names: &Names) -> Option<Read> {
        if self.too_long {
            return self.refuse();
        }
        let end = if self.finished { TextEnd::Final } else { TextEnd::Open };
        if end == TextEnd::Open && !self.is_worth_trying() {
            return None;
        }
        self.read_to(end, names)
    }

    /// Reads the next item as [`Reader::read`] does, but the end of the text so far ends an item
    /// that is complete, and an item with a mistake. A person expects that at the end of a line.
    /// An incomplete item waits for its rest.
    pub fn read_line(&mut self, names: &Names) -> Option<Read> {
        if self.too_long {
            return self.refuse();
        }
        self.read_to(if self.finished { TextEnd::Final } else { TextEnd::OfLine }, names)
    }

    /// Whether an item has begun that has not been read: text other than space and comments.
    pub fn pending(&self) -> bool {
        if self.skipping {
            return false;
        }
        let mut lexer = self.lexer_of(&self.source);
        lexer.pass_empty_items();
        !lexer.at_end()
    }

    /// Drops the text that has not been read, when a person gives up an unfinished item.
    pub fn abandon(&mut self) {
        self.offset = self.source.text().len();
        self.in_comment = false;
        self.skipping = false;
    }

    /// Whether reading an unfinished item again can have another result. A long item is read again
    /// only when its length has doubled or a `;` has arrived, which ends every item. So the total
    /// cost is proportional to the text.
    fn is_worth_trying(&self) -> bool {
        let n_waiting = self.source.text().len() - self.offset;
        let n_tried = self.tried_to.saturating_sub(self.offset);
        n_waiting <= SMALL
            || n_waiting >= 2 * n_tried
            || self.source.last_semicolon().is_some_and(|semicolon| semicolon as usize >= self.offset)
    }

    fn read_to(&mut self, end: TextEnd, names: &Names) -> Option<Read> {
        self.item = None;
        self.tree.clear();
        if let Some(tokens) = &mut self.tokens {
            tokens.clear();
        }
        self.go_to_item(end)?;
        let source = self.source.clone();
        let lexer = self.lexer_of(&source);
        let mut parser = Parser::new(lexer, names, &mut self.tree, self.tokens.as_mut());
        let first = parser.token().span;
        let start = first.start;
        // Skipping an item that is too long starts behind its first token, so that token must be
        // complete.
        let is_first_whole = end != TextEnd::Open || !parser.reached_end();
        let parsed = parser.expect_item();
        let is_open = end == TextEnd::Open;
        if is_first_whole && bytes_so_far(&parser, start, parsed.is_err(), is_open) > self.longest_item {
            return Some(self.refuse_item(first, end));
        }
        let is_unfinished = match end {
            TextEnd::Final => false,
            TextEnd::Open => parser.reached_end(),
            TextEnd::OfLine => parsed.is_err() && parser.token().kind == TokenKind::End,
        };
        if is_unfinished {
            self.tried_to = source.text().len();
            return None;
        }
        let span = Span::new(start, parser.taken_to());
        match parsed {
            Ok(item) => {
                parser.take_semicolon();
                let (offset, lacks_operator) = (parser.taken_to(), parser.lacks_operator());
                let mut diagnostics = parser.into_mistakes();
                self.move_to(offset);
                let text = (span, &source);
                let resolved = resolve(&item, text, &self.tree, names, &mut self.workspace, &mut diagnostics);
                in_text_order(&mut diagnostics);
                self.item = (!lacks_operator).then_some(item);
                Some(Read { item: resolved.filter(|_| !lacks_operator), diagnostics, span })
            }
            Err(diagnostic) => {
                // A `def` or `extern` here begins the next item; a `;` ends this one.
                let offset = parser.token().span.start;
                let mut diagnostics = parser.into_mistakes();
                diagnostics.push(*diagnostic);
                self.move_to(offset);
                self.skip(end);
                Some(Read { item: None, diagnostics, span })
            }
        }
    }

    /// Refuses an item that is too long and begins with this token.
    #[cold]
    fn refuse_item(&mut self, first: Span, end: TextEnd) -> Read {
        // The first token may be a `def`, which would end the skipping.
        self.move_to(first.end);
        self.skip(end);
        let message = format!("the item is too long: more than {} bytes", self.longest_item);
        Read {
            item: None,
            diagnostics: vec![Diagnostic::error(DiagnosticCode::ItemTooLong, first, message)],
            span: first,
        }
    }

    /// Moves to the start of the next item; `None` if none has begun.
    fn go_to_item(&mut self, end: TextEnd) -> Option<()> {
        if self.skipping {
            self.skip(end);
        }
        if self.skipping {
            return None;
        }
        let source = self.source.clone();
        let mut lexer = self.lexer_of(&source);
        (self.offset, self.in_comment) = lexer.pass_empty_items();
        (!lexer.at_end()).then_some(())
    }

    /// A lexer of the text that has not been read.
    fn lexer_of<'s>(&self, source: &'s Source) -> Lexer<'s> {
        Lexer::resume(source.text(), self.offset, self.in_comment)
    }

    /// Moves to the start or the end of a token.
    fn move_to(&mut self, offset: u32) {
        self.offset = offset as usize;
        self.in_comment = false;
    }

    /// Skips the rest of an item with a mistake in form: to behind the next `;`, or to the next
    /// `def` or `extern`.
    fn skip(&mut self, end: TextEnd) {
        let source = self.source.clone();
        let mut lexer = self.lexer_of(&source);
        self.skipping = true;
        while self.skipping {
            (self.offset, self.in_comment) = lexer.pass_space();
            let token = lexer.next_token();
            match token.kind {
                // A token at the end of the text may continue: `de` may become `def`.
                _ if end == TextEnd::Open && lexer.reached_end() => break,
                TokenKind::Keyword(Keyword::Def | Keyword::Extern) => self.skipping = false,
                TokenKind::End => self.skipping = false,
                TokenKind::Semicolon => {
                    self.skipping = false;
                    self.move_to(token.span.end);
                }
                _ => self.move_to(token.span.end),
            }
        }
        self.tried_to = self.source.text().len();
    }

    #[cold]
    fn refuse(&mut self) -> Option<Read> {
        self.too_long = false;
        self.abandon();
        let offset = self.offset as u32;
        let span = Span::new(offset, offset);
        let message = "the text is too long: 4 GiB or more";
        let diagnostics = vec![Diagnostic::error(DiagnosticCode::TextTooLong, span, message)];
        Some(Read { item: None, diagnostics, span })
    }
}

/// Sorts the mistakes of the stages by their places.
fn in_text_order(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.map_or(0, |span| span.start));
}

/// The number of bytes of an item that begins at `start`, as far as it was read. An unfinished
/// item counts with what has arrived, and the token of a mistake counts too: whether an item is
/// too long must not depend on where the text was cut into pieces. So a token that ends with a `.`
/// at the end of an open text does not count: before a digit the `.` begins a number, which may be
/// another item.
fn bytes_so_far(parser: &Parser<'_>, start: u32, is_wrong: bool, is_open: bool) -> usize {
    let token = parser.token();
    let is_counted = is_wrong && token.kind != TokenKind::End;
    let is_certain = |offset| !is_open || !parser.ends_with_point(offset);
    let end = if is_counted && is_certain(token.span.end) {
        token.span.end
    } else if is_certain(parser.taken_to()) {
        parser.taken_to()
    } else {
        parser.taken_before()
    };
    end.saturating_sub(start) as usize
}
