//! Tokens, and their listing for `emit tokens`.
//!
//! Which operators a run of operator characters has depends on the definitions before it. So the
//! parser notes tokens as it takes them ([`crate::reader::Reader::keep_tokens`]); no pass makes
//! them in advance.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::source::{Source, Span};

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// A name.
    Identifier,
    /// A keyword.
    Keyword(Keyword),
    /// A well-formed number.
    Number,
    /// Characters that start like a number but are not one.
    MalformedNumber,
    /// A run of operator characters, from which the parser has taken no operator.
    Operators,
    /// One operator, which the parser took from a run.
    Operator,
    /// `(`
    OpenParenthesis,
    /// `)`
    CloseParenthesis,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// A character that no token starts with.
    Unknown,
    /// The end of the text.
    End,
}

impl TokenKind {
    /// The kind's name in a listing.
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

/// The chapter of LLVM's tutorial that has the whole language.
pub const LAST_CHAPTER: u8 = 7;

macro_rules! keywords {
    ($($(#[doc = $doc:literal])* $variant:ident = $text:literal,)*) => {
        /// A keyword.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Keyword { $($(#[doc = $doc])* $variant,)* }

        impl Keyword {
            /// The keyword that a text spells; `None` if it spells none.
            fn any(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }

            /// The keyword's text.
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
    /// `and`, with the prelude.
    And = "and",
    /// `or`, with the prelude.
    Or = "or",
    /// `not`, with the prelude.
    Not = "not",
    /// `while`, with the prelude.
    While = "while",
}

impl Keyword {
    /// The keyword that a text spells; `None` if it spells none. `has_conventions`: whether the
    /// words of the prelude are keywords.
    pub fn new(text: &str, has_conventions: bool) -> Option<Self> {
        Self::any(text).filter(|keyword| has_conventions || !keyword.is_of_the_prelude())
    }

    /// The chapter of LLVM's tutorial from which on the word is a keyword.
    pub const fn chapter(self) -> u8 {
        match self {
            Self::Def | Self::Extern => 2,
            Self::If | Self::Then | Self::Else | Self::For | Self::In => 5,
            Self::Unary | Self::Binary => 6,
            Self::Var | Self::And | Self::Or | Self::Not | Self::While => LAST_CHAPTER,
        }
    }

    /// Whether the word is a keyword only with the prelude.
    pub const fn is_of_the_prelude(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Not | Self::While)
    }
}

/// One token with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The kind.
    pub kind: TokenKind,
    /// The place in the text.
    pub span: Span,
}

/// The tokens, one per line: position, kind, text.
pub fn listing(tokens: &[Token], source: &Source) -> String {
    let mut text = String::new();
    for token in tokens {
        let position = source.position(token.span.start).to_string();
        let written = source.slice(token.span).escape_debug();
        writeln!(text, "{position:>8}  {:<11}  {written}", token.kind.name()).expect("strings take all text");
    }
    text
}
