//! Formatter: the layout of a program's text, for `kaleidoscope fmt`.
//!
//! The lines of a text stay as they are, and so do its tokens and comments. What changes is the
//! space between tokens and at the start of lines, blank lines, and the end of the text. So a
//! formatted text means the same, and formatting it again changes nothing.
//!
//! A line that continues a construct is indented by two columns for each line on which a construct
//! around it begins: the item, `if`, `for`, `while`, `var`, a call, a parenthesis. A line that
//! begins with `then`, `else` or `in` is not inside the construct whose part that is, and one that
//! begins with `)` is aligned with the line of its `(`.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Diagnostic;
use crate::lexer::tokens;
use crate::names::Names;
use crate::reader::Reader;
use crate::source::Source;
use crate::syntax::{Node, Tree};
use crate::token::{Keyword, Token, TokenKind};

/// Columns by which a construct is indented.
const INDENT: usize = 2;

/// Why a text cannot be formatted: its mistakes in form, with the text for showing them.
#[derive(Clone, Debug)]
pub struct FormatError {
    /// The mistakes.
    pub diagnostics: Vec<Diagnostic>,
    /// The text.
    pub source: Source,
}

/// The formatted text. `names` has what is defined before the text, for example the prelude: only
/// operators matter. Names that are unknown are no mistake here.
///
/// ```
/// use kaleidoscope_lang::format::format;
/// use kaleidoscope_lang::names::Names;
///
/// let text = "def  f( x,y )\nif x<y then   x\nelse f( x-y,y )";
/// let formatted = format("text", text, Names::new()).unwrap();
/// assert_eq!(formatted, "def f(x, y)\n  if x < y then x\n  else f(x - y, y)\n");
/// ```
///
/// # Errors
/// If an item has a mistake in form.
pub fn format(name: &str, text: &str, names: Names) -> Result<String, FormatError> {
    // The layout has one line end. Positions stay: every line end remains one.
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let parts = read(name, &unix, names.clone())?;
    let formatted = Layout::new(&parts).text(&parts.tokens);
    let words = |parts: &Parts| -> Vec<String> {
        parts.tokens.iter().map(|token| parts.source.slice(token.span).to_owned()).collect()
    };
    // Two operators that came to lie side by side might be one.
    let is_same = read(name, &formatted, names).is_ok_and(|after| words(&after) == words(&parts));
    Ok(if is_same { formatted } else { text.to_owned() })
}

/// What the layout of a text depends on.
struct Parts {
    source: Source,
    tokens: Vec<Token>,
    constructs: Vec<Construct>,
}

fn read(name: &str, text: &str, mut names: Names) -> Result<Parts, FormatError> {
    let mut reader = Reader::new(name);
    reader.keep_tokens();
    reader.push(text);
    reader.finish();
    let mut of_parser = BTreeMap::new();
    let mut constructs = Vec::new();
    let mut mistakes = Vec::new();
    while let Some(read) = reader.read(&names) {
        of_parser.extend(reader.tokens().iter().map(|token| (token.span.start, *token)));
        match reader.syntax() {
            Some((tree, _)) => {
                let (start, end) = (read.span.start, read.span.end);
                constructs.push(Construct { start, end, anchor: start, kind: ConstructKind::Item });
                constructs.extend(constructs_of(tree));
            }
            None => mistakes.extend(read.diagnostics.iter().filter(|found| found.is_error()).cloned()),
        }
        read.item.iter().for_each(|item| names.commit(item));
    }
    let source = reader.source();
    if !mistakes.is_empty() {
        return Err(FormatError { diagnostics: mistakes, source });
    }
    let tokens = split(tokens(text, names.has_conventions()), &of_parser);
    constructs.extend(parentheses(&tokens));
    Ok(Parts { source, tokens, constructs })
}

/// The tokens, with each run of operator characters divided as the parser has divided it.
fn split(all: Vec<Token>, of_parser: &BTreeMap<u32, Token>) -> Vec<Token> {
    let mut split = Vec::with_capacity(all.len());
    for token in all {
        let parts = of_parser.range(token.span.start..token.span.end).map(|(_, part)| *part);
        match token.kind {
            TokenKind::Operators if of_parser.contains_key(&token.span.start) => split.extend(parts),
            _ => split.push(token),
        }
    }
    split
}

/// A part of a text whose later lines are indented.
#[derive(Clone, Copy, Debug)]
struct Construct {
    start: u32,
    end: u32,
    /// The place whose line counts: the start, or that of the chain of `else if`.
    anchor: u32,
    kind: ConstructKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConstructKind {
    Item,
    /// Has `then` and `else`.
    If,
    /// Has `in`.
    WithIn,
    Call,
    Parenthesis,
}

impl ConstructKind {
    /// Whether a token begins a part of the construct that does not belong to the part before it.
    fn has_part(self, token: TokenKind) -> bool {
        match token {
            TokenKind::Keyword(Keyword::Then | Keyword::Else) => self == Self::If,
            TokenKind::Keyword(Keyword::In) => self == Self::WithIn,
            _ => false,
        }
    }
}

/// The constructs of an item's tree.
fn constructs_of(tree: &Tree) -> Vec<Construct> {
    // The `if` behind an `else` belongs to the chain that the first `if` begins.
    let mut chains = BTreeMap::new();
    let mut constructs = Vec::new();
    // Parents come before their parts.
    for id in tree.ids().rev() {
        let span = tree.span(id);
        let anchor = chains.remove(&id).unwrap_or(span.start);
        let kind = match tree.node(id) {
            Node::If { otherwise, .. } => {
                if matches!(tree.node(otherwise), Node::If { .. }) {
                    chains.insert(otherwise, anchor);
                }
                ConstructKind::If
            }
            Node::For(_) | Node::While { .. } | Node::Var { .. } => ConstructKind::WithIn,
            Node::Call { .. } => ConstructKind::Call,
            Node::Number(_) | Node::Variable(_) | Node::Prefix { .. } | Node::Binary { .. } => continue,
        };
        constructs.push(Construct { start: span.start, end: span.end, anchor, kind });
    }
    constructs
}

/// Writes the tokens of a text with the space that they should have.
struct Layout<'s> {
    source: &'s Source,
    /// Those that begin behind the place, in reverse order.
    to_come: Vec<Construct>,
    /// Those around the place, the outermost first.
    around: Vec<Construct>,
    /// The columns in front of the line.
    columns: usize,
    /// The columns in front of the lines with the open parentheses, the outermost first.
    columns_of_open: Vec<usize>,
}

impl<'s> Layout<'s> {
    fn new(parts: &'s Parts) -> Self {
        let mut constructs = parts.constructs.clone();
        // The outer one of two that begin at one place is longer.
        constructs.sort_by_key(|construct| (construct.start, std::cmp::Reverse(construct.end)));
        constructs.reverse();
        Self {
            source: &parts.source,
            to_come: constructs,
            around: Vec::new(),
            columns: 0,
            columns_of_open: Vec::new(),
        }
    }

    fn text(mut self, all: &[Token]) -> String {
        let text = self.source.text();
        let mut formatted = String::with_capacity(text.len() + text.len() / 8);
        let mut end = 0;
        for (index, token) in all.iter().enumerate() {
            self.move_to(token.span.start);
            let gap = &text[end..token.span.start as usize];
            end = token.span.end as usize;
            if gap.contains(['\n', '#']) || index == 0 {
                self.columns = self.indent(*token);
                push_lines(&mut formatted, gap, self.columns, index == 0);
            } else if has_space(text, all, index, !gap.is_empty()) {
                formatted.push(' ');
            }
            formatted.push_str(&text[token.span.range()]);
            match token.kind {
                TokenKind::OpenParenthesis => self.columns_of_open.push(self.columns),
                TokenKind::CloseParenthesis => drop(self.columns_of_open.pop()),
                _ => {}
            }
        }
        push_lines(&mut formatted, &text[end..], 0, all.is_empty());
        let length = formatted.trim_end().len();
        formatted.truncate(length);
        if !formatted.is_empty() {
            formatted.push('\n');
        }
        formatted
    }

    /// Moves to a token: enters the constructs around it.
    fn move_to(&mut self, place: u32) {
        self.around.retain(|construct| place < construct.end);
        while let Some(construct) = self.to_come.pop_if(|construct| construct.start < place) {
            if place < construct.end {
                self.around.push(construct);
            }
        }
    }

    /// The columns in front of a token that begins a line.
    fn indent(&self, token: Token) -> usize {
        if token.kind == TokenKind::CloseParenthesis {
            return self.columns_of_open.last().copied().unwrap_or(0);
        }
        let own = self.around.iter().rfind(|construct| construct.kind.has_part(token.kind));
        let is_own = |construct: &&Construct| {
            own.is_some_and(|own| (own.anchor, own.kind) == (construct.anchor, construct.kind))
        };
        let others = self.around.iter().filter(|construct| !is_own(construct));
        let lines: BTreeSet<_> =
            others.map(|construct| self.source.position(construct.anchor).line).collect();
        INDENT * lines.len()
    }
}

/// The pairs of parentheses.
fn parentheses(all: &[Token]) -> Vec<Construct> {
    let mut open = Vec::new();
    let mut pairs = Vec::new();
    for token in all {
        match token.kind {
            TokenKind::OpenParenthesis => open.push(token.span.start),
            TokenKind::CloseParenthesis => pairs.extend(open.pop().map(|start| Construct {
                start,
                end: token.span.end,
                anchor: start,
                kind: ConstructKind::Parenthesis,
            })),
            _ => {}
        }
    }
    pairs
}

/// Writes what is between two tokens on different lines: comments, blank lines, and the indentation
/// of the next token.
fn push_lines(formatted: &mut String, gap: &str, indent: usize, is_start: bool) {
    let mut lines = gap.split('\n');
    let first = lines.next().unwrap_or_default();
    if first.trim_start().starts_with('#') {
        // The space in front of a comment behind text is the author's: comments may be aligned.
        let is_close = !is_start && !first.starts_with([' ', '\t']);
        let comment = if is_start { first.trim() } else { first.trim_end() };
        formatted.push_str(if is_close { " " } else { "" });
        formatted.push_str(comment);
    }
    let mut has_blank_line = false;
    let mut has_text = !(is_start && first.trim().is_empty());
    let mut rest = lines.peekable();
    while let Some(line) = rest.next() {
        let (line, is_last) = (line.trim(), rest.peek().is_none());
        if line.is_empty() && !is_last {
            has_blank_line = has_text;
            continue;
        }
        if has_text {
            formatted.push_str(if has_blank_line { "\n\n" } else { "\n" });
        }
        formatted.push_str(&" ".repeat(indent));
        formatted.push_str(line);
        (has_blank_line, has_text) = (false, true);
    }
}

/// Whether there is space between a token and the one before it, on one line.
fn has_space(text: &str, all: &[Token], index: usize, had_space: bool) -> bool {
    use TokenKind::{
        CloseParenthesis, Comma, Identifier, Number, OpenParenthesis, Operator, Operators, Semicolon,
    };
    let Some(before) = index.checked_sub(1) else { return false };
    let is_operator = |at: usize| matches!(all[at].kind, Operator | Operators);
    // The sign of a prototype: `binary| 5 (a b)`, `unary!(x)`.
    let defines = |at: usize, keyword| at > 0 && all[at - 1].kind == TokenKind::Keyword(keyword);
    let is_sign = |at: usize| defines(at, Keyword::Binary) || defines(at, Keyword::Unary);
    let is_prefix = |at: usize| {
        let ends_operand = |kind| matches!(kind, Identifier | Number | CloseParenthesis);
        !is_sign(at) && !at.checked_sub(1).is_some_and(|before| ends_operand(all[before].kind))
    };
    // Powers bind most tightly. For products, the author may have left the space out.
    let is_tight = |at: usize| {
        let was_close = || at > 0 && all[at - 1].span.end == all[at].span.start;
        is_operator(at)
            && !is_sign(at)
            && match &text[all[at].span.range()] {
                "^" | "**" => true,
                "*" | "/" | "%" => was_close(),
                _ => false,
            }
    };
    match (all[before].kind, all[index].kind) {
        (OpenParenthesis, _) | (_, CloseParenthesis | Comma | Semicolon) => false,
        (Identifier, OpenParenthesis) => false,
        _ if is_operator(index) && is_sign(index) => false,
        (_, OpenParenthesis) if is_operator(before) && defines(before, Keyword::Unary) => false,
        // Two operators side by side may be one if nothing is between them, and two otherwise.
        _ if is_operator(before) && is_operator(index) && is_prefix(before) => had_space,
        _ if is_operator(before) && is_prefix(before) => false,
        _ if is_tight(before) || is_tight(index) => had_space && is_operator(before) && is_operator(index),
        _ => true,
    }
}
