//! Parser of the text form.

use super::{ARITHMETIC, arithmetic_name, is_bare};
use crate::builder::{UNKNOWN, set_targets};
use crate::{Function, FunctionId, HostArray, HostVariable, Local, Op, OpIdx, verify};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Why a text is not the text form of functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    line: usize,
    message: String,
}

impl ParseError {
    /// The line of the mistake, from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// The functions that a text describes, in order. They keep the promises of [`Function`] only if
/// the text does: [`verify`](crate::verify) tells.
///
/// # Errors
/// [`ParseError`] if the text is not in the text form.
pub fn parse(text: &str) -> Result<Vec<Function>, ParseError> {
    let mut functions = Vec::new();
    let mut parser: Option<FunctionParser> = None;
    for (idx, text) in text.lines().enumerate() {
        let mut line = Line { rest: text };
        let at_line = |message| ParseError { line: idx + 1, message };
        line.skip_space();
        if line.is_at_end() {
            continue;
        }
        if line.eat_word("function") {
            if let Some(parser) = parser.take() {
                functions.push(parser.finish()?);
            }
            parser = Some(FunctionParser::begin(&mut line, idx + 1).map_err(at_line)?);
        } else {
            let parser = parser.as_mut().ok_or_else(|| at_line("expected `function`".to_owned()))?;
            parser.parse_op(&mut line).map_err(at_line)?;
        }
        line.expect_end().map_err(at_line)?;
    }
    if let Some(parser) = parser {
        functions.push(parser.finish()?);
    }
    Ok(functions)
}

/// Parses the text form of exactly one function.
impl FromStr for Function {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut functions = parse(text)?;
        match functions.len() {
            1 => Ok(functions.swap_remove(0)),
            n => Err(ParseError { line: 1, message: format!("expected one function, found {n}") }),
        }
    }
}

/// A function whose header has been read.
struct FunctionParser {
    /// Its header's line, from 1.
    line: usize,
    name: Arc<str>,
    n_params: u32,
    locals: Vec<Arc<str>>,
    max_stack: Option<u32>,
    n_results: u32,
    ops: Vec<Op>,
}

impl FunctionParser {
    /// Parses a header behind the word `function`.
    fn begin(line: &mut Line<'_>, number: usize) -> Result<Self, String> {
        line.skip_space();
        let name = line.name()?.into();
        let (locals, ops) = (Vec::new(), Vec::new());
        let mut parser = Self { line: number, name, n_params: 0, locals, max_stack: None, n_results: 1, ops };
        line.expect('(')?;
        while !line.eat(')') {
            parser.parse_declaration(line)?;
        }
        parser.n_params = parser.locals.len() as u32;
        while line.eat(',') {
            line.skip_space();
            if line.eat_word("locals") {
                while !line.is_at_end() && !line.is_at(',') {
                    parser.parse_declaration(line)?;
                }
            } else if line.eat_word("stack") {
                line.skip_space();
                parser.max_stack = Some(line.index()?);
            } else if line.eat_word("results") {
                line.skip_space();
                parser.n_results = line.index()?;
            } else {
                return Err("expected `locals`, `stack` or `results`".to_owned());
            }
        }
        Ok(parser)
    }

    fn parse_declaration(&mut self, line: &mut Line<'_>) -> Result<(), String> {
        line.skip_space();
        let (name, idx) = line.local()?;
        if idx != self.locals.len() as u32 {
            return Err(format!("expected variable number {}, found {idx}", self.locals.len()));
        }
        self.locals.push(name.into());
        line.skip_space();
        Ok(())
    }

    fn parse_op(&mut self, line: &mut Line<'_>) -> Result<(), String> {
        let at = self.ops.len() as u32;
        if line.rest.starts_with(|c: char| c.is_ascii_digit()) {
            let written = line.index()?;
            if written != at {
                return Err(format!("expected position {at}, found {written}"));
            }
            line.skip_space();
        }
        let word = line.word();
        line.skip_space();
        let op = match word {
            "number" => Op::Number(line.number()?),
            "get" => Op::Get(self.parse_local(line)?),
            "set" => Op::Set(self.parse_local(line)?),
            "get_host" => Op::GetHost(HostVariable::new(line.id()?)),
            "set_host" => Op::SetHost(HostVariable::new(line.id()?)),
            "get_element" => Op::GetElement(HostArray::new(line.id()?)),
            "set_element" => Op::SetElement(HostArray::new(line.id()?)),
            "drop" => Op::Drop,
            "square" => Op::Square,
            "call" => {
                let callee = FunctionId::new(line.id()?);
                line.expect('/')?;
                Op::Call { callee, n_args: line.index()? }
            }
            "tail_call" => Op::TailCall,
            "if" => Op::If { otherwise: line.target("else")? },
            "else" => Op::Else { end: line.target("end")? },
            "end" => Op::End,
            "loop" => Op::Loop,
            "next" => {
                let variable = self.parse_local(line)?;
                line.skip_space();
                Op::Next { variable, header: line.target("loop")? }
            }
            word => {
                let known = ARITHMETIC.into_iter().find(|&known| arithmetic_name(known) == word);
                Op::Arithmetic(known.ok_or_else(|| format!("there is no operation `{word}`"))?)
            }
        };
        self.ops.push(op);
        Ok(())
    }

    /// The variable, whose name is the declared one or missing.
    fn parse_local(&self, line: &mut Line<'_>) -> Result<Local, String> {
        let (name, idx) = line.local()?;
        match self.locals.get(idx as usize) {
            Some(declared) if !name.is_empty() && **declared != *name => {
                Err(format!("variable {idx} is `{declared}`, not `{name}`"))
            }
            _ => Ok(Local::new(idx)),
        }
    }

    fn finish(mut self) -> Result<Function, ParseError> {
        let at_line = |message| ParseError { line: self.line, message };
        set_targets(&mut self.ops, |target| target == UNKNOWN);
        if self.ops.iter().any(|op| op.target() == Some(UNKNOWN)) {
            return Err(at_line("the brackets do not match".to_owned()));
        }
        let max_stack = self.max_stack.unwrap_or_default();
        let function = Function::new(self.name, self.n_params, self.locals, self.ops, max_stack);
        let mut function = function.with_results(self.n_results);
        if self.max_stack.is_none() {
            function.max_stack = verify::max_stack(&function).map_err(|error| at_line(error.to_string()))?;
        }
        Ok(function)
    }
}

/// What is left of a line.
struct Line<'t> {
    rest: &'t str,
}

impl<'t> Line<'t> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn is_at(&self, c: char) -> bool {
        self.rest.starts_with(c)
    }

    /// Whether nothing but a comment is left.
    fn is_at_end(&self) -> bool {
        self.rest.is_empty() || self.is_at(';')
    }

    fn expect_end(&mut self) -> Result<(), String> {
        self.skip_space();
        if self.is_at_end() {
            Ok(())
        } else {
            Err(format!("expected the end of the line, found `{}`", self.rest))
        }
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> Result<(), String> {
        if self.eat(c) { Ok(()) } else { Err(format!("expected `{c}`")) }
    }

    /// Takes the characters up to the first that does not belong.
    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// A word of small letters and underscores; empty if there is none.
    fn word(&mut self) -> &'t str {
        self.take_while(|c| c.is_ascii_lowercase() || c == '_')
    }

    fn eat_word(&mut self, expected: &str) -> bool {
        let before = self.rest;
        let is_found = self.word() == expected;
        if !is_found {
            self.rest = before;
        }
        is_found
    }

    fn index(&mut self) -> Result<u32, String> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        digits.parse().map_err(|_| format!("expected a number up to {}, found `{digits}`", u32::MAX))
    }

    /// A name, bare or in quotes; empty if there is none.
    fn name(&mut self) -> Result<String, String> {
        if !self.eat('"') {
            return Ok(self.take_while(is_bare).to_owned());
        }
        let mut name = String::new();
        loop {
            name.push_str(self.take_while(|c| c != '"' && c != '\\'));
            if self.eat('"') {
                return Ok(name);
            }
            if !self.eat('\\') {
                return Err("a name has no closing quote".to_owned());
            }
            name.push(self.escape().ok_or("expected `\\\"`, `\\\\` or `\\u{…}` in a name")?);
        }
    }

    fn escape(&mut self) -> Option<char> {
        if let Some(c) = self.rest.chars().next().filter(|c| matches!(c, '"' | '\\')) {
            self.eat(c);
            return Some(c);
        }
        self.rest = self.rest.strip_prefix("u{")?;
        let digits = self.take_while(|c| c.is_ascii_hexdigit());
        self.eat('}').then_some(())?;
        char::from_u32(u32::from_str_radix(digits, 16).ok()?)
    }

    /// `name.number`
    fn local(&mut self) -> Result<(String, u32), String> {
        let name = self.name()?;
        self.expect('.')?;
        Ok((name, self.index()?))
    }

    /// `name#number`, of which the number counts.
    fn id(&mut self) -> Result<u32, String> {
        self.name()?;
        self.expect('#')?;
        self.index()
    }

    /// `(word number)`, or nothing: then the target follows from the nesting.
    fn target(&mut self, word: &str) -> Result<OpIdx, String> {
        if !self.eat('(') {
            return Ok(UNKNOWN);
        }
        if !self.eat_word(word) {
            return Err(format!("expected `{word}`"));
        }
        self.skip_space();
        let target = self.index()?;
        self.expect(')')?;
        Ok(OpIdx::new(target))
    }

    /// A number as the printer writes it, or any that Rust reads.
    fn number(&mut self) -> Result<f64, String> {
        let text = self.take_while(|c| !c.is_whitespace() && c != ';');
        let value = match text.strip_prefix("nan:") {
            Some(bits) => {
                u64::from_str_radix(bits, 16).ok().map(f64::from_bits).filter(|value| value.is_nan())
            }
            None => text.parse().ok(),
        };
        value.ok_or_else(|| format!("`{text}` is not a number"))
    }
}
