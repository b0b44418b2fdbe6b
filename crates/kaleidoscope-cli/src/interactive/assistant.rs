//! What helps while an entry is typed: colors, completion, parameters, and when it is complete.

use super::commands;
use super::definitions::{parameters, signature};
use super::variables::Variables;
use kaleidoscope::Engine;
use kaleidoscope::lang::token::{Keyword, Token, TokenKind};
use kaleidoscope::lang::tokens;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Knows the functions and variables of the session.
pub(super) struct Assistant {
    engine: Engine,
    variables: Variables,
    files: FilenameCompleter,
}

impl Assistant {
    pub(super) fn new(engine: Engine, variables: Variables) -> Self {
        Self { engine, variables, files: FilenameCompleter::new() }
    }

    fn tokens(&self, text: &str) -> Vec<Token> {
        tokens(text, self.engine.has_prelude())
    }
}

impl Helper for Assistant {}

/// Enter ends an entry that is complete; in an incomplete one, it begins a line.
impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        // Commands are lines of their own.
        let is_text = |line: &&str| commands::parse(line).is_none();
        let text: Vec<_> = context.input().lines().filter(is_text).collect();
        Ok(match self.engine.is_complete(&text) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, text: &str, position: usize, context: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let before = &text[..position];
        let line = before.rsplit('\n').next().unwrap_or_default();
        if let Some(word) = line.trim_start().strip_prefix(':') {
            match word.split_once(' ') {
                None => {
                    let candidates = commands::names().filter(|name| name.starts_with(word));
                    return Ok((position - word.len(), candidates.map(plain).collect()));
                }
                Some(("load" | "save", _)) => return self.files.complete(text, position, context),
                Some(_) => {}
            }
        }
        let start = before
            .rfind(|character: char| !is_word_character(character))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = &before[start..];
        if word.is_empty() || !word.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Ok((position, Vec::new()));
        }
        Ok((start, self.words(text, word)))
    }
}

impl Assistant {
    /// What the word may become: functions, variables, words of the text itself, keywords.
    fn words(&self, text: &str, word: &str) -> Vec<Pair> {
        let mut known = BTreeSet::new();
        let mut candidates = Vec::new();
        for info in self.engine.functions() {
            if info.name.starts_with(word) && info.name.chars().all(is_word_character) {
                known.insert(info.name.to_string());
                candidates.push(Pair { display: signature(&info), replacement: format!("{}(", info.name) });
            }
        }
        let of_text = self.tokens(text).into_iter().filter(|token| token.kind == TokenKind::Identifier);
        let of_text = of_text.map(|token| text[token.span.range()].to_owned());
        let variables = self.variables.values().into_iter().map(|(name, _)| name);
        for name in variables.chain(of_text).chain(keywords(self.engine.has_prelude())) {
            // The word itself is no help.
            if name.starts_with(word) && name != word && known.insert(name.clone()) {
                candidates.push(plain(&name));
            }
        }
        candidates.sort_by(|a, b| a.display.cmp(&b.display));
        candidates
    }
}

fn keywords(has_prelude: bool) -> impl Iterator<Item = String> {
    const KEYWORDS: &str = "def extern if then else for in var unary binary and or not while";
    let is_keyword = move |word: &&str| Keyword::new(word, has_prelude).is_some();
    KEYWORDS.split(' ').filter(is_keyword).map(str::to_owned)
}

fn plain(word: &str) -> Pair {
    Pair { display: word.to_owned(), replacement: word.to_owned() }
}

fn is_word_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// The parameters that a call still needs. They are shown, not inserted.
pub(super) struct Parameters(String);

impl Hint for Parameters {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Assistant {
    type Hint = Parameters;

    fn hint(&self, text: &str, position: usize, _: &Context<'_>) -> Option<Parameters> {
        if position < text.len() {
            return None;
        }
        let tokens = self.tokens(text);
        let call = open_call(&tokens)?;
        let info = self.engine.function_info(&text[tokens[call.name].span.range()])?;
        let parameters = parameters(&info);
        let rest = parameters.get(call.n_commas..)?;
        if rest.is_empty() && call.n_commas > 0 {
            return None;
        }
        let is_at_start = matches!(tokens.last()?.kind, TokenKind::OpenParenthesis | TokenKind::Comma);
        let shown = match (is_at_start, rest) {
            (true, rest) => rest.join(", "),
            (false, [_, rest @ ..]) if !rest.is_empty() => format!(", {}", rest.join(", ")),
            (false, _) => String::new(),
        };
        Some(Parameters(format!("{shown})")))
    }
}

/// A call whose parenthesis is open at the end of a text.
struct OpenCall {
    /// The index of the token of its name.
    name: usize,
    n_commas: usize,
}

fn open_call(tokens: &[Token]) -> Option<OpenCall> {
    let (mut n_closed, mut n_commas) = (0, 0);
    for (index, token) in tokens.iter().enumerate().rev() {
        match token.kind {
            TokenKind::CloseParenthesis => n_closed += 1,
            TokenKind::OpenParenthesis if n_closed > 0 => n_closed -= 1,
            TokenKind::OpenParenthesis => {
                let name = index.checked_sub(1).filter(|&name| tokens[name].kind == TokenKind::Identifier)?;
                let is_definition = name.checked_sub(1).is_some_and(|before| {
                    matches!(tokens[before].kind, TokenKind::Keyword(Keyword::Def | Keyword::Extern))
                });
                return (!is_definition).then_some(OpenCall { name, n_commas });
            }
            TokenKind::Comma if n_closed == 0 => n_commas += 1,
            TokenKind::Semicolon => return None,
            _ => {}
        }
    }
    None
}

/// Escape sequences of colors.
const KEYWORD: &str = "\x1b[1;34m";
const NUMBER: &str = "\x1b[36m";
const FUNCTION: &str = "\x1b[33m";
const OPERATOR: &str = "\x1b[35m";
const COMMENT: &str = "\x1b[2m";
const MISTAKE: &str = "\x1b[31m";
const MATCHING: &str = "\x1b[1;4m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

impl Highlighter for Assistant {
    fn highlight<'l>(&self, text: &'l str, position: usize) -> Cow<'l, str> {
        if text.trim_start().starts_with(':') {
            return Cow::Borrowed(text);
        }
        let tokens = self.tokens(text);
        let brackets = matching_brackets(&tokens, position);
        let mut colored = String::with_capacity(2 * text.len());
        let mut end = 0;
        for (index, token) in tokens.iter().enumerate() {
            let range = token.span.range();
            push_between(&mut colored, &text[end..range.start]);
            end = range.end;
            let color = match token.kind {
                _ if brackets.contains(&Some(index)) => MATCHING,
                TokenKind::Keyword(_) => KEYWORD,
                TokenKind::Number => NUMBER,
                TokenKind::Operators | TokenKind::Operator => OPERATOR,
                TokenKind::MalformedNumber | TokenKind::Unknown => MISTAKE,
                TokenKind::Identifier if self.engine.function_info(&text[range.clone()]).is_some() => {
                    FUNCTION
                }
                _ => "",
            };
            push_colored(&mut colored, color, &text[range]);
        }
        push_between(&mut colored, &text[end..]);
        Cow::Owned(colored)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("{DIM}{hint}{PLAIN}"))
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        // A character may change the color of the word before it; a moved cursor, the brackets.
        matches!(kind, CmdKind::Other | CmdKind::MoveCursor)
    }
}

/// Adds what is between tokens: space and comments.
fn push_between(colored: &mut String, text: &str) {
    match text.find('#') {
        Some(comment) => {
            colored.push_str(&text[..comment]);
            // The color must not go on over the end of a line.
            let lines: Vec<_> =
                text[comment..].split('\n').map(|line| format!("{COMMENT}{line}{PLAIN}")).collect();
            colored.push_str(&lines.join("\n"));
        }
        None => colored.push_str(text),
    }
}

fn push_colored(colored: &mut String, color: &str, text: &str) {
    if color.is_empty() {
        colored.push_str(text);
    } else {
        colored.extend([color, text, PLAIN]);
    }
}

/// The bracket at the cursor or before it, and its counterpart, as indexes of tokens.
fn matching_brackets(tokens: &[Token], position: usize) -> [Option<usize>; 2] {
    let is_bracket =
        |token: &Token| matches!(token.kind, TokenKind::OpenParenthesis | TokenKind::CloseParenthesis);
    let at = |place: usize| {
        tokens.iter().position(|token| is_bracket(token) && token.span.start as usize == place)
    };
    let Some(bracket) = at(position).or_else(|| at(position.checked_sub(1)?)) else { return [None, None] };
    let own = tokens[bracket].kind;
    let onward: Box<dyn Iterator<Item = usize>> = match own {
        TokenKind::OpenParenthesis => Box::new(bracket..tokens.len()),
        _ => Box::new((0..=bracket).rev()),
    };
    let mut depth = 0_i64;
    for index in onward.filter(|&index| is_bracket(&tokens[index])) {
        depth += if tokens[index].kind == own { 1 } else { -1 };
        if depth == 0 {
            return [Some(bracket), Some(index)];
        }
    }
    [None, None]
}

#[cfg(test)]
mod tests;
