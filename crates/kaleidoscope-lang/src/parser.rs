//! Parser: makes the syntax tree of one item of its tokens.
//!
//! The parser is recursive descent by hand, because operators change while a program is read.
//! Expressions are in [`expression`], and operators that do not exist in [`missing`]. A mistake in
//! form ends the item at once. The parser does not look up what names mean; the resolver does.

mod expression;
mod missing;
#[cfg(test)]
mod tests;

pub(crate) use missing::{function_hint, word_hint};

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::lexer::Lexer;
use crate::names::Names;
use crate::number::{Shown, has_nonzero_digit, parse_literal};
use crate::operator::Sign;
use crate::source::Span;
use crate::syntax::{Binding, Item, Node, NodeId, Prototype, Subject, Symbol, Tree};
use crate::token::{Keyword, Token, TokenKind};

/// The deepest nesting of expressions, in levels: each bracket, prefix operator, argument, `if`,
/// `for`, `var` and right operand of a right-associative operator is one level. Generated programs
/// stay far below. The parser allocates the stack that the levels need.
pub const MAX_NESTING: u32 = 10_000;

/// The most operations of one item in the IR. An operation takes 16 bytes, so these take 64 MiB.
pub const MAX_OPERATIONS: usize = 4 << 20;

/// The most parameters of a function and arguments of a call.
pub const MAX_PARAMETERS: usize = 10_000;

/// The most errors, and the most warnings, that the parser reports for one item, in addition to the
/// mistake in form that ends the item.
const MAX_REPORTED: usize = 20;

/// The result of a parsing method. The first mistake in form ends the item.
pub(crate) type Parsed<T> = Result<T, Box<Diagnostic>>;

/// Parses one item. The current token is the next that has not been taken.
pub(crate) struct Parser<'r> {
    lexer: Lexer<'r>,
    token: Token,
    /// Offset behind the last token taken.
    taken_to: u32,
    /// Offset behind the token taken before that one.
    taken_before: u32,
    names: &'r Names,
    tree: &'r mut Tree,
    depth: u32,
    /// Arguments and bindings of the calls and `var`s being parsed, those of the innermost last.
    open_arguments: Vec<NodeId>,
    open_bindings: Vec<Binding>,
    taken: Option<&'r mut Vec<Token>>,
    /// Mistakes that do not end the item.
    mistakes: Vec<Diagnostic>,
    /// Whether the item uses an operator that does not exist. The tree has no such operator.
    lacks_operator: bool,
    /// Where the body of a definition begins; 0 before that.
    body_start: u32,
}

impl<'r> Parser<'r> {
    /// A parser at the start of an item. It adds the tokens that it takes to `taken`.
    pub(crate) fn new(
        mut lexer: Lexer<'r>,
        names: &'r Names,
        tree: &'r mut Tree,
        taken: Option<&'r mut Vec<Token>>,
    ) -> Self {
        lexer.set_conventions(names.has_conventions());
        lexer.set_chapter(names.chapter());
        let token = lexer.next_token();
        Self {
            lexer,
            token,
            taken_to: token.span.start,
            taken_before: token.span.start,
            names,
            tree,
            depth: 0,
            open_arguments: Vec::new(),
            open_bindings: Vec::new(),
            taken,
            mistakes: Vec::new(),
            lacks_operator: false,
            body_start: 0,
        }
    }

    /// The current token.
    pub(crate) fn token(&self) -> Token {
        self.token
    }

    /// Offset behind the last token taken.
    pub(crate) fn taken_to(&self) -> u32 {
        self.taken_to
    }

    /// Offset behind the token taken before the last one.
    pub(crate) fn taken_before(&self) -> u32 {
        self.taken_before
    }

    /// Whether more text could change what was read.
    pub(crate) fn reached_end(&self) -> bool {
        self.lexer.reached_end()
    }

    /// Whether the text ends at this offset, with a `.`.
    pub(crate) fn ends_with_point(&self, offset: u32) -> bool {
        self.lexer.ends_with_point(offset)
    }

    /// Whether the item uses an operator that does not exist, which is an error in meaning. The
    /// tree is then that of another item, in which the resolver can find further mistakes.
    pub(crate) fn lacks_operator(&self) -> bool {
        self.lacks_operator
    }

    /// The warnings, and the errors that do not end the item.
    pub(crate) fn into_mistakes(self) -> Vec<Diagnostic> {
        self.mistakes
    }

    /// Parses one item, without the `;` behind it.
    pub(crate) fn expect_item(&mut self) -> Parsed<Item> {
        let item = match self.token.kind {
            TokenKind::Keyword(Keyword::Def) => {
                self.take();
                let prototype = self.expect_prototype()?;
                self.body_start = self.token.span.start;
                Item::Definition(prototype, self.expect_expression()?)
            }
            TokenKind::Keyword(Keyword::Extern) => {
                self.take();
                return Ok(Item::Extern(self.expect_prototype()?));
            }
            _ => Item::Expression(self.expect_expression()?),
        };
        self.warn_of_neighbor();
        Ok(item)
    }

    /// Parses one expression, which is the whole text but for a `;` behind it.
    pub(crate) fn expect_formula(&mut self) -> Parsed<NodeId> {
        let body = self.expect_expression()?;
        if self.token.kind == TokenKind::Semicolon {
            self.take();
        }
        match self.token.kind {
            TokenKind::End => Ok(body),
            _ => Err(self.unexpected("the end of the formula")),
        }
    }

    /// Takes the `;` that ends an item, but not the next token: the item may change how that is
    /// read.
    pub(crate) fn take_semicolon(&mut self) {
        if self.token.kind == TokenKind::Semicolon {
            self.note_taken(self.token);
        }
    }

    fn expect_prototype(&mut self) -> Parsed<Prototype> {
        match self.token.kind {
            TokenKind::Identifier => {
                let subject_span = self.token.span;
                let subject = Subject::Function(self.take_name());
                let parameters = self.expect_parameters()?;
                Ok(Prototype { subject, subject_span, parameters })
            }
            TokenKind::Keyword(Keyword::Unary) => {
                self.take();
                let (sign, subject_span) = self.expect_operator_name()?;
                self.expect(TokenKind::OpenParenthesis, "`(` and the operand's name")?;
                let parameters = vec![self.expect_name("the operand's name")?];
                self.expect(TokenKind::CloseParenthesis, "`)`: a prefix operator has one operand")?;
                Ok(Prototype { subject: Subject::Unary(sign), subject_span, parameters })
            }
            TokenKind::Keyword(Keyword::Binary) => {
                self.take();
                let (sign, subject_span) = self.expect_operator_name()?;
                let precedence = match self.token.kind {
                    TokenKind::Number => {
                        let span = self.take();
                        Some((self.literal(span), span))
                    }
                    _ => None,
                };
                self.expect(TokenKind::OpenParenthesis, "`(` and the operands' names")?;
                let left = self.expect_name("the left operand's name")?;
                if self.token.kind == TokenKind::Comma {
                    self.take();
                }
                let right = self.expect_name("the right operand's name")?;
                self.expect(TokenKind::CloseParenthesis, "`)`: a binary operator has two operands")?;
                let subject = Subject::Binary { sign, precedence };
                Ok(Prototype { subject, subject_span, parameters: vec![left, right] })
            }
            _ => Err(self.unexpected("the name of a function, `unary` or `binary`")),
        }
    }

    /// `(` names `)`, separated by spaces, commas or both.
    fn expect_parameters(&mut self) -> Parsed<Vec<(Symbol, Span)>> {
        self.expect(TokenKind::OpenParenthesis, "`(` and the parameters' names")?;
        let mut parameters = Vec::new();
        while self.token.kind == TokenKind::Identifier {
            if parameters.len() == MAX_PARAMETERS {
                return Err(self.too_many_parameters("parameters"));
            }
            parameters.push((self.symbol_at_hand(), self.take()));
            if self.token.kind == TokenKind::Comma {
                self.take();
            }
        }
        self.expect(TokenKind::CloseParenthesis, "a parameter's name or `)`")?;
        Ok(parameters)
    }

    /// The sign of an operator's prototype: the whole run of operator characters.
    fn expect_operator_name(&mut self) -> Parsed<(Sign, Span)> {
        if self.token.kind != TokenKind::Operators {
            return Err(self.unexpected("the sign of the operator"));
        }
        let span = self.token.span;
        let Some(sign) = Sign::new(self.lexer.slice(span)) else {
            let message = format!("`{}` is too long for an operator", self.lexer.slice(span));
            let hint = "an operator has one or two characters";
            return Err(Box::new(
                Diagnostic::error(DiagnosticCode::OperatorTooLong, span, message).with_hint(hint),
            ));
        };
        self.take_sign(sign);
        Ok((sign, span))
    }

    fn expect_name(&mut self, what: &str) -> Parsed<(Symbol, Span)> {
        match self.token.kind {
            TokenKind::Identifier => Ok((self.symbol_at_hand(), self.take())),
            _ => Err(self.unexpected(what)),
        }
    }

    fn expect(&mut self, kind: TokenKind, what: &str) -> Parsed<Span> {
        if self.token.kind == kind { Ok(self.take()) } else { Err(self.unexpected(what)) }
    }

    fn expect_keyword(&mut self, keyword: Keyword) -> Parsed<Span> {
        if self.token.kind == TokenKind::Keyword(keyword) {
            return Ok(self.take());
        }
        Err(self.unexpected(&format!("`{}`", keyword.as_str())))
    }

    /// Takes the current token.
    fn take(&mut self) -> Span {
        let token = self.token;
        self.note_taken(token);
        self.token = self.lexer.next_token();
        token.span
    }

    fn take_name(&mut self) -> Symbol {
        let symbol = self.symbol_at_hand();
        self.take();
        symbol
    }

    fn symbol_at_hand(&mut self) -> Symbol {
        self.tree.symbols.intern(self.lexer.slice(self.token.span))
    }

    /// Takes an operator from the start of the current run.
    fn take_sign(&mut self, sign: Sign) -> Span {
        let start = self.token.span.start;
        let span = Span::new(start, start + sign.n_characters() as u32);
        self.take_characters(span);
        span
    }

    /// Takes an operator's characters from the start of the current run.
    fn take_characters(&mut self, span: Span) {
        self.note_taken(Token { kind: TokenKind::Operator, span });
        // The rest of the run is the next token. Reading it again would take quadratic time.
        if span.end < self.token.span.end {
            self.token.span.start = span.end;
        } else {
            self.token = self.lexer.next_token();
        }
    }

    fn note_taken(&mut self, token: Token) {
        self.taken_before = std::mem::replace(&mut self.taken_to, token.span.end);
        if let Some(taken) = &mut self.taken {
            taken.push(token);
        }
    }

    /// Adds a node, unless the item is too large: every node becomes at least one operation.
    fn add(&mut self, node: Node, span: Span) -> Parsed<NodeId> {
        if self.tree.n_nodes() >= MAX_OPERATIONS {
            return Err(self.too_large());
        }
        Ok(self.tree.add(node, span))
    }

    /// The span from `start` to the last token taken.
    fn span_from(&self, start: Span) -> Span {
        Span::new(start.start, self.taken_to)
    }

    /// The mistake that the current token is not `what`.
    #[cold]
    fn unexpected(&self, what: &str) -> Box<Diagnostic> {
        self.mismatch(DiagnosticCode::UnexpectedToken, what)
    }

    #[cold]
    fn mismatch(&self, code: DiagnosticCode, what: &str) -> Box<Diagnostic> {
        let span = self.token.span;
        let written = self.lexer.slice(span);
        let diagnostic = match self.token.kind {
            TokenKind::End => {
                let span = Span::new(self.taken_to, self.taken_to);
                let message = format!("expected {what}, but the text ends here");
                Diagnostic::error(DiagnosticCode::UnexpectedEnd, span, message)
            }
            TokenKind::Unknown => {
                let character = written.chars().next().unwrap_or_default();
                let name = if character.is_control() || !character.is_ascii() {
                    format!("{} (U+{:04X})", character.escape_debug(), character as u32)
                } else {
                    format!("`{character}`")
                };
                let message = format!("a program cannot contain the character {name}");
                let diagnostic = Diagnostic::error(DiagnosticCode::UnknownCharacter, span, message);
                with_hint(diagnostic, missing::character_hint(character))
            }
            TokenKind::MalformedNumber => {
                let message = format!("`{}` is not a number", shorten(written));
                let diagnostic = Diagnostic::error(DiagnosticCode::MalformedNumber, span, message);
                with_hint(diagnostic, missing::number_hint(written))
            }
            TokenKind::Keyword(_) => {
                Diagnostic::error(code, span, format!("expected {what}, found the keyword `{written}`"))
            }
            kind => {
                let message = format!("expected {what}, found `{}`", shorten(written));
                let is_decimal = kind == TokenKind::Comma && self.is_between_digits(span);
                let hint = is_decimal.then_some("a number has a point: `1.5`");
                with_hint(Diagnostic::error(code, span, message), hint)
            }
        };
        Box::new(diagnostic)
    }

    /// Whether a token has a digit on either side, without space.
    fn is_between_digits(&self, span: Span) -> bool {
        let is_digit = |start, end| {
            self.lexer.slice_if(Span::new(start, end)).is_some_and(|text| text.as_bytes()[0].is_ascii_digit())
        };
        span.start > 0 && is_digit(span.start - 1, span.start) && is_digit(span.end, span.end + 1)
    }

    /// Reports a mistake that does not end the item.
    fn report(&mut self, diagnostic: Diagnostic) {
        let severity = diagnostic.severity;
        let n_reported = self.mistakes.iter().filter(|known| known.severity == severity).count();
        if n_reported < MAX_REPORTED {
            self.mistakes.push(diagnostic);
        }
    }

    /// The value of a literal. A literal that is out of range has a value as in C, with a warning.
    fn literal(&mut self, span: Span) -> f64 {
        let written = self.lexer.slice(span);
        let value = parse_literal(written);
        if value.is_infinite() || (value == 0.0 && has_nonzero_digit(written)) {
            let message = format!("`{}` is read as {}", shorten(written), Shown(value));
            self.report(Diagnostic::warning(DiagnosticCode::NumberOutOfRange, span, message));
        }
        value
    }

    #[cold]
    fn too_many_parameters(&self, what: &str) -> Box<Diagnostic> {
        let message = format!("more than {MAX_PARAMETERS} {what}");
        Box::new(Diagnostic::error(DiagnosticCode::TooManyParameters, self.token.span, message))
    }

    #[cold]
    fn too_large(&self) -> Box<Diagnostic> {
        Box::new(too_large(self.token.span))
    }
}

/// The mistake that an item has more than [`MAX_OPERATIONS`] operations.
pub(crate) fn too_large(span: Span) -> Diagnostic {
    let message = format!("the item is too large: more than {MAX_OPERATIONS} operations");
    Diagnostic::error(DiagnosticCode::ItemTooLarge, span, message)
        .with_hint("split it into several functions")
}

fn with_hint(diagnostic: Diagnostic, hint: Option<impl Into<String>>) -> Diagnostic {
    match hint {
        Some(hint) => diagnostic.with_hint(hint),
        None => diagnostic,
    }
}

/// The start of a text that is too long for a sentence.
fn shorten(written: &str) -> String {
    match written.char_indices().nth(40) {
        Some((idx, _)) => format!("{}…", &written[..idx]),
        None => written.to_owned(),
    }
}
