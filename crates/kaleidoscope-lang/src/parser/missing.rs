//! Missing operators: what a text has where an operator must be, and what its author meant.
//!
//! An operator that does not exist is an error in meaning: the item is parsed to its end, so that
//! the next item is not lost, and is then dropped. Two expressions side by side on one line are two
//! items, with a warning.

use super::Parser;
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::operator::{BinaryMeaning, DEFAULT_PRECEDENCE, Sign, binary_name, unary_name};
use crate::source::Span;
use crate::token::{Keyword, LAST_CHAPTER, Token, TokenKind};
use kaleidoscope_ir::Arithmetic;
use std::sync::Arc;

/// The prefix operators that programs usually have. Without them, `2*-3` lacks a prefix operator
/// and not a binary operator `*-`.
const USUAL_PREFIXES: &[u8] = b"-!";

/// The binary operator that begins at the current token.
#[derive(Clone, Copy)]
pub(super) struct InfixAtHand {
    /// The sign in the tree: of another operator if this one does not exist.
    pub(super) sign: Sign,
    pub(super) precedence: u8,
    written: Written,
}

/// How a binary operator is written.
#[derive(Clone, Copy)]
enum Written {
    /// As this sign at the start of a run of operator characters.
    Sign(Sign),
    /// As a word.
    Word,
    /// It does not exist.
    Missing,
}

impl InfixAtHand {
    /// A missing operator. The tree gets `<` in its place: that takes any operands.
    const MISSING: Self =
        Self { sign: Sign::LESS, precedence: DEFAULT_PRECEDENCE, written: Written::Missing };
}

impl Parser<'_> {
    /// The binary operator behind an operand. `None` if there is no run of operator characters, or
    /// if the run begins a new item with a prefix operator.
    ///
    /// This looks at the start of the run only: each level of nesting that ends here asks again.
    pub(super) fn infix_at_hand(&self) -> Option<InfixAtHand> {
        let operators = self.names.operators();
        let word = match self.token.kind {
            TokenKind::Operators => None,
            TokenKind::Keyword(Keyword::And) => Some(Sign::AND),
            TokenKind::Keyword(Keyword::Or) => Some(Sign::OR),
            _ => return None,
        };
        if let Some(sign) = word {
            return Some(operators.binary(sign).map_or(InfixAtHand::MISSING, |operator| InfixAtHand {
                sign,
                precedence: operator.precedence,
                written: Written::Word,
            }));
        }
        let run = self.lexer.slice(self.token.span);
        match operators.longest_binary(run) {
            Some((sign, operator)) => {
                let rest = &run[sign.n_characters()..];
                let is_prefix = rest.is_empty()
                    || USUAL_PREFIXES.contains(&rest.as_bytes()[0])
                    || operators.longest_prefix(rest).is_some();
                // The tree has one sign for one meaning.
                let is_power = operator.meaning == BinaryMeaning::Arithmetic(Arithmetic::Power);
                let exists = InfixAtHand {
                    sign: if is_power { Sign::POWER } else { sign },
                    precedence: operator.precedence,
                    written: Written::Sign(sign),
                };
                Some(if is_prefix { exists } else { InfixAtHand::MISSING })
            }
            None if operators.longest_prefix(run).is_some() => None,
            None => Some(InfixAtHand::MISSING),
        }
    }

    /// Takes the operator that [`Self::infix_at_hand`] returned, and reports it if it is missing.
    pub(super) fn take_infix(&mut self, operator: InfixAtHand) {
        match operator.written {
            Written::Sign(sign) => {
                self.take_sign(sign);
            }
            Written::Word => {
                self.take();
            }
            Written::Missing if self.token.kind == TokenKind::Operators => self.take_missing_infix(),
            Written::Missing => {
                let span = self.take();
                let message = format!("there is no binary operator `{}`", self.lexer.slice(span));
                let diagnostic = Diagnostic::error(DiagnosticCode::UnknownBinaryOperator, span, message);
                self.report_missing(diagnostic, None);
            }
        }
    }

    /// Reports a `not` whose operator the program has removed.
    #[cold]
    pub(super) fn report_missing_not(&mut self, span: Span) {
        let message = "`not` is not a prefix operator: there is no `!`";
        self.report_missing(Diagnostic::error(DiagnosticCode::UnknownPrefixOperator, span, message), None);
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
        let failure = self.failure_of(sign, binary_name);
        let is_later = sign == "=" && self.names.chapter() < LAST_CHAPTER;
        let later = is_later.then_some("assignment is part of the language from chapter 7 on");
        self.report_missing(diagnostic, failure.as_deref().or(later).or(binary_hint(sign)));
        self.take_characters(span);
    }

    /// Takes a run that is not a prefix operator, where an operand must be.
    #[cold]
    pub(super) fn take_missing_prefix(&mut self) {
        let Span { start, end } = self.token.span;
        let run = self.lexer.slice(self.token.span);
        let sign = &run[..1];
        let hint = if run.starts_with("//") || run.starts_with("/*") {
            Some("a comment begins with `#`")
        } else if start > 0 && start == self.body_start && matches!(run, ":" | "=" | "->" | "=>" | ":=") {
            Some("leave it out: a body follows the parameters")
        } else {
            prefix_hint(sign)
        };
        let failure = self.failure_of(sign, unary_name);
        let message = format!("`{sign}` is not a prefix operator");
        let span = Span::new(start, start + 1);
        let diagnostic = Diagnostic::error(DiagnosticCode::UnknownPrefixOperator, span, message);
        self.report_missing(diagnostic, failure.as_deref().or(hint));
        self.take_characters(Span::new(start, end));
    }

    /// Why an operator is missing whose definition failed.
    fn failure_of(&self, sign: &str, name: fn(Sign) -> String) -> Option<Arc<str>> {
        self.names.failure(&name(Sign::new(sign)?)).cloned()
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
        if self.lexer.slice(Span::new(self.taken_to, span.start)).contains(['\n', '\r']) {
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
        "%" => "the prelude (`--prelude`) has one; without it, the remainder is `fmod(a, b)`",
        "%%" => "the remainder is `fmod(a, b)`",
        "//" => "a comment begins with `#`; `floor(a / b)` divides and rounds down",
        ":=" => "`=` assigns",
        "?" => "a choice is `if a then b else c`",
        "++" | "--" | "+=" | "-=" | "*=" | "/=" => "to add 1, write `x = x + 1`",
        "." => "there are no members: every value is a number",
        "_" => "a number has no separators: `1000`",
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

/// What to write instead of a word that has a meaning in other languages, or with the prelude, and
/// that is no variable here.
pub(crate) fn word_hint(name: &str) -> Option<&'static str> {
    Some(match name {
        "and" => "the prelude (`--prelude`) has `and`, which is `&&`",
        "or" => "the prelude (`--prelude`) has `or`, which is `||`",
        "not" => "the prelude (`--prelude`) has `not`, which is `!`",
        "mod" | "rem" => "the remainder is `fmod(a, b)`",
        "while" => "the prelude (`--prelude`) has `while … in …`",
        "true" => "there are only numbers: true is 1",
        "false" => "there are only numbers: false is 0",
        "return" => "leave it out: a function's value is that of its expression",
        "let" | "const" | "int" | "float" | "double" | "number" => {
            "a variable is `var name = value in expression`"
        }
        "function" | "func" | "fun" | "fn" | "define" | "lambda" => {
            "a definition is `def name(parameters) body`"
        }
        "pi" | "tau" | "inf" | "nan" => "the prelude (`--prelude`) has this constant",
        _ => return None,
    })
}

/// What to write instead of a function that other languages have, and that is not defined here.
pub(crate) fn function_hint(name: &str) -> Option<&'static str> {
    Some(match name {
        "ln" => "the natural logarithm is `log`; the prelude (`--prelude`) has `ln`",
        "abs" => "the absolute value is `fabs`; the prelude (`--prelude`) has `abs`",
        "mod" => "the remainder is `fmod(a, b)`; the prelude (`--prelude`) has `mod`",
        "min" | "max" | "avg" | "sum" | "sign" | "clamp" => OF_THE_PRELUDE,
        "not" => "the prelude (`--prelude`) has `not`, which is `!`",
        "return" => "leave it out: a function's value is that of its expression",
        _ => return None,
    })
}

/// What to write instead of a character that no program contains.
pub(super) fn character_hint(character: char) -> Option<&'static str> {
    Some(match character {
        '"' | '\'' => "there are no strings: every value is a number",
        '{' | '}' => "a body is one expression; `(` and `)` group",
        '[' | ']' => "an element of an array is `a(0)`",
        _ => return None,
    })
}

/// What to write instead of a malformed number that is a number before a name, such as `2x`.
/// `None` if it may be meant as a number: `1e`.
pub(super) fn number_hint(written: &str) -> Option<String> {
    let n_digits = written.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, name) = written.split_at(n_digits);
    let is_exponent = name.starts_with(['e', 'E']);
    let is_radix = number == "0" && name.starts_with(['x', 'X', 'b', 'B', 'o', 'O']);
    let is_whole = number.matches('.').count() <= 1 && !name.contains('.') && name.len() <= MAX_IN_HINT;
    if is_radix {
        return Some("numbers are decimal".to_owned());
    }
    (is_whole && !is_exponent).then(|| format!("to multiply, write `{number} * {name}`"))
}

/// The most characters of a name that a hint repeats.
const MAX_IN_HINT: usize = 40;
