//! Tokens, and their listing for people.
//!
//! Which operators a run of operator characters splits into depends on what was defined before, so tokens are noted as
//! the parser takes them ([`crate::reader::Reader::keep_tokens`]) and not made by a pass of their own.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::lexer::Lexer;
use crate::source::{Source, Span};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// A name.
    Identifier,
    /// A word with a meaning of its own.
    Keyword(Keyword),
    /// A number of the right form.
    Number,
    /// Something that starts as a number and goes on otherwise.
    MalformedNumber,
    /// A whole run of operator characters, before the parser has taken an operator from it.
    Operators,
    /// One operator, taken from a run.
    Operator,
    /// `(`
    OpenParenthesis,
    /// `)`
    CloseParenthesis,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// A character that has no place in a program.
    Unknown,
    /// The end of the text.
    End,
}

impl TokenKind {
    /// What to call it in a listing.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::Keyword(_) => "keyword",
            Self::Number => "number",
            Self::MalformedNumber => "malformed number",
            Self::Operators | Self::Operator => "operator",
            Self::OpenParenthesis | Self::CloseParenthesis | Self::Comma | Self::Semicolon => "punctuation",
            Self::Unknown => "unknown",
            Self::End => "end",
        }
    }
}

macro_rules! keywords {
    ($($(#[doc = $doc:literal])* $variant:ident = $text:literal,)*) => {
        /// A word with a meaning of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Keyword { $($(#[doc = $doc])* $variant,)* }

        impl Keyword {
            /// The keyword written so, if it is one.
            pub fn new(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }

            /// The keyword as written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

keywords! {
    /// `def`
    Def = "def",
    /// `extern`
    Extern = "extern",
    /// `if`
    If = "if",
    /// `then`
    Then = "then",
    /// `else`
    Else = "else",
    /// `for`
    For = "for",
    /// `in`
    In = "in",
    /// `var`
    Var = "var",
    /// `unary`
    Unary = "unary",
    /// `binary`
    Binary = "binary",
}

/// One token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands.
    pub span: Span,
}

/// Whether the text is a name that a program can give to a variable or a function.
pub fn is_name(text: &str) -> bool {
    let mut lexer = Lexer::new(text, 0);
    let token = lexer.next_token();
    token.kind == TokenKind::Identifier && token.span.range() == (0..text.len())
}

/// The tokens one a line: position, kind, text.
pub fn listing(tokens: &[Token], source: &Source) -> String {
    let mut text = String::new();
    for token in tokens {
        let position = source.position(token.span.start).to_string();
        let written = source.slice(token.span).escape_debug();
        writeln!(text, "{position:>8}  {:<11}  {written}", token.kind.name()).expect("strings take all text");
    }
    text
}
