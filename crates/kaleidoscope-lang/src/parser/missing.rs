//! Missing operators: what a text has where an operator must be, and what its author meant.
//!
//! An operator that does not exist is an error in meaning: the item is parsed to its end, so that
//! the next item is not lost, and is then dropped. Two expressions side by side on one line are two
//! items, with a warning.

use super::Parser;
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::operator::{DEFAULT_PRECEDENCE, Sign};
use crate::source::Span;
use crate::token::{Token, TokenKind};

/// The prefix operators that programs usually have. Without them, `2*-3` lacks a prefix operator
/// and not a binary operator `*-`.
const USUAL_PREFIXES: &[u8] = b"-!";

/// The binary operator at the start of the current run of operator characters.
#[derive(Clone, Copy)]
pub(super) struct InfixAtHand {
    /// The sign; that of another operator if this one does not exist.
    pub(super) sign: Sign,
    pub(super) precedence: u8,
    exists: bool,
}

impl InfixAtHand {
    /// A missing operator. The tree gets `<` in its place: that takes any operands.
    const MISSING: Self = Self { sign: Sign::LESS, precedence: DEFAULT_PRECEDENCE, exists: false };
}

impl Parser<'_> {
    /// The binary operator behind an operand. `None` if there is no run of operator characters, or
    /// if the run begins a new item with a prefix operator.
    ///
    /// This looks at the start of the run only: each level of nesting that ends here asks again.
    pub(super) fn infix_at_hand(&self) -> Option<InfixAtHand> {
        if self.token.kind != TokenKind::Operators {
            return None;
        }
        let run = self.lexer.slice(self.token.span);
        let operators = self.names.operators();
        match operators.longest_binary(run) {
            Some((sign, operator)) => {
                let rest = &run[sign.n_characters()..];
                let is_prefix = rest.is_empty()
                    || USUAL_PREFIXES.contains(&rest.as_bytes()[0])
                    || operators.longest_prefix(rest).is_some();
                let exists = InfixAtHand { sign, precedence: operator.precedence, exists: true };
                Some(if is_prefix { exists } else { InfixAtHand::MISSING })
            }
            None if operators.longest_prefix(run).is_some() => None,
            None => Some(InfixAtHand::MISSING),
        }
    }

    /// Takes the operator that [`Self::infix_at_hand`] returned, and reports it if it is missing.
    pub(super) fn take_infix(&mut self, operator: InfixAtHand) {
        if operator.exists {
            self.take_sign(operator.sign);
        } else {
            self.take_missing_infix();
        }
    }

    /// Takes the run without the prefix operators at its end: the operator that was meant.
    #[cold]
    fn take_missing_infix(&mut self) {
        let start = self.token.span.start;
        let run = self.lexer.slice(self.token.span);
        let is_prefix = |byte: u8| {
            let sign = Sign::of_character(byte);
            USUAL_PREFIXES.contains(&byte) || self.names.operators().prefix(sign).is_some()
        };
        let n_prefixes = run.bytes().skip(1).rev().take_while(|&byte| is_prefix(byte)).count();
        let sign = &run[..run.len() - n_prefixes];
        let span = Span::new(start, start + sign.len() as u32);
        let message = format!("there is no binary operator `{}`", super::shorten(sign));
        let diagnostic = Diagnostic::error(DiagnosticCode::UnknownBinaryOperator, span, message);
        self.report_missing(diagnostic, binary_hint(sign));
        self.take_characters(span);
    }

    /// Takes a run that is not a prefix operator, where an operand must be.
    #[cold]
    pub(super) fn take_missing_prefix(&mut self) {
        let Span { start, end } = self.token.span;
        let sign = &self.lexer.slice(self.token.span)[..1];
        let message = format!("`{sign}` is not a prefix operator");
        let span = Span::new(start, start + 1);
        let diagnostic = Diagnostic::error(DiagnosticCode::UnknownPrefixOperator, span, message);
        self.report_missing(diagnostic, prefix_hint(sign));
        self.take_characters(Span::new(start, end));
    }

    fn report_missing(&mut self, diagnostic: Diagnostic, hint: Option<&str>) {
        self.lacks_operator = true;
        self.report(match hint {
            Some(hint) => diagnostic.with_hint(hint),
            None => diagnostic,
        });
    }

    /// Warns if the current token begins an expression on the line on which the item ends.
    pub(super) fn warn_of_neighbor(&mut self) {
        let Token { kind, span } = self.token;
        let written = self.lexer.slice(span);
        let hint = match kind {
            TokenKind::OpenParenthesis => Some("to multiply, write `*`"),
            TokenKind::Identifier => word_hint(written),
            TokenKind::Number | TokenKind::Operators => None,
            _ => return,
        };
        if self.lexer.slice(Span::new(self.taken_to, span.start)).contains('\n') {
            return;
        }
        let message = "a second expression begins here, without `;` or an operator before it";
        let warning = Diagnostic::warning(DiagnosticCode::SideBySide, span, message);
        self.report(match hint {
            Some(hint) => warning.with_hint(hint),
            None => warning,
        });
    }
}

const OF_THE_PRELUDE: &str = "the prelude (`--prelude`) has one";

/// What to write instead of a binary operator that programs in other languages have.
fn binary_hint(sign: &str) -> Option<&'static str> {
    Some(match sign {
        ">" | "<=" | ">=" | "==" | "!=" | "&&" | "||" | "&" | "|" | ":" => OF_THE_PRELUDE,
        "===" => "the prelude (`--prelude`) has `==`",
        "!==" | "<>" | "~=" => "the prelude (`--prelude`) has `!=`",
        "**" => "the power is `^`",
        "%" | "%%" => "the remainder is `fmod(a, b)`",
        "//" => "a comment begins with `#`; `floor(a / b)` divides and rounds down",
        ":=" => "`=` assigns",
        "?" => "a choice is `if a then b else c`",
        _ => return None,
    })
}

/// What to write instead of a prefix operator that does not exist.
fn prefix_hint(sign: &str) -> Option<&'static str> {
    Some(match sign {
        "-" => "none is built in: define it with `def unary-(v) 0-v`, or use the prelude (`--prelude`)",
        "!" => OF_THE_PRELUDE,
        "+" => "leave it out",
        "~" => "for a logical not, the prelude (`--prelude`) has `!`",
        _ => return None,
    })
}

/// What to write instead of a word that is an operator in other languages.
pub(crate) fn word_hint(name: &str) -> Option<&'static str> {
    Some(match name {
        "and" => "for a logical and, the prelude (`--prelude`) has `&&`",
        "or" => "for a logical or, the prelude (`--prelude`) has `||`",
        "not" => "for a logical not, the prelude (`--prelude`) has `!`",
        "mod" | "rem" => "the remainder is `fmod(a, b)`",
        _ => return None,
    })
}
