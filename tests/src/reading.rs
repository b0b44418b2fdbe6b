//! What must hold when any text is read, however wrong it is. Nothing is run.
//!
//! - Reading ends: each item takes some of the text, and is either there or has an error.
//! - An item printed and read again, with the names as they were, is the same tree and means the
//!   same.
//! - A text that comes in pieces reads as it does in one, also where the length of an item is
//!   limited.
//! - Each function keeps the promises of the IR, and its text form parses to the same function.
//! - Diagnostics can be shown, and tokens stand where the text has them.

#[cfg(test)]
mod tests;

use kaleidoscope::lang::diagnostic::{Color, render};
use kaleidoscope::lang::item::{Item, Read};
use kaleidoscope::lang::names::Names;
use kaleidoscope::lang::print;
use kaleidoscope::lang::reader::Reader;
use kaleidoscope::lang::syntax::{outline, same_structure};
use kaleidoscope::{Diagnostic, Span};
use kaleidoscope_ir::verify::verify;
use kaleidoscope_ir::{Function, text as ir_text};

use crate::random::Random;

/// Texts up to so many bytes are also read character by character: an unfinished item is read
/// again with each.
const SHORT: usize = 160;

/// The longest item in bytes, where that is limited: some items of most texts are longer.
const LONGEST_ITEM: usize = 24;

/// What reading one item gave.
#[derive(Debug, PartialEq)]
struct Reading {
    span: Span,
    /// The resolved item, as text.
    item: Option<String>,
    diagnostics: Vec<Diagnostic>,
}

/// Reads the text in every way.
///
/// # Errors
///
/// What does not hold, in words.
pub fn check(text: &str) -> Result<(), String> {
    parse_as_ir(text);
    for longest_item in [usize::MAX, LONGEST_ITEM] {
        let whole = read_whole(text, longest_item)?;
        compare(&whole, &read_pieces(&random_pieces(text), longest_item)?, "in pieces")?;
        if text.len() <= SHORT {
            let characters: Vec<&str> = text.split("").filter(|piece| !piece.is_empty()).collect();
            compare(&whole, &read_pieces(&characters, longest_item)?, "character by character")?;
        }
        read_lines(text, longest_item)?;
    }
    Ok(())
}

/// A reader, the names as its items leave them, and what was read.
struct Course {
    reader: Reader,
    names: Names,
    readings: Vec<Reading>,
}

impl Course {
    fn new(longest_item: usize) -> Self {
        let mut names = Names::new();
        names.declare_host("putchard", 1);
        names.declare_host("printd", 1);
        let mut reader = Reader::new("text");
        reader.limit_items(longest_item);
        Self { reader, names, readings: Vec::new() }
    }

    /// Makes the item real, after a look at what must hold of any.
    fn take(&mut self, read: Read) -> Result<(), String> {
        let has_errors = read.diagnostics.iter().any(Diagnostic::is_error);
        if read.item.is_some() == has_errors {
            return Err(format!("neither an item nor an error, or both: {read:?}"));
        }
        let n_bytes = self.reader.source().text().len();
        if self.readings.len() > n_bytes {
            return Err(format!("more items than bytes: reading does not get on at {:?}", read.span));
        }
        if let Some(item) = &read.item {
            self.names.commit(item);
            check_function(item)?;
        }
        let item = read.item.map(|item| format!("{item:?}"));
        self.readings.push(Reading { span: read.span, item, diagnostics: read.diagnostics });
        Ok(())
    }

    /// Reads what is surely complete.
    fn read(&mut self) -> Result<(), String> {
        while let Some(read) = self.reader.read(&self.names) {
            self.take(read)?;
        }
        Ok(())
    }

    /// No more text comes; reads the rest.
    fn end(mut self) -> Result<Vec<Reading>, String> {
        self.reader.finish();
        self.read()?;
        if self.reader.pending() { Err("text is left over".to_owned()) } else { Ok(self.readings) }
    }
}

/// Parses the text as the text form of the IR, and verifies what it describes. Most texts are not
/// in that form; none makes the parser or the verifier panic.
fn parse_as_ir(text: &str) {
    for function in ir_text::parse(text).unwrap_or_default() {
        let _ = verify(&function);
    }
}

/// Checks that the item's function keeps the promises of the IR, and that its text form parses to
/// the same function.
fn check_function(item: &Item) -> Result<(), String> {
    let (Item::Definition { function, .. } | Item::Expression { function, .. }) = item else { return Ok(()) };
    let text = function.to_string();
    verify(function).map_err(|error| format!("{error}\n{text}"))?;
    let again: Function = text.parse().map_err(|error| format!("{error}\n{text}"))?;
    if again == **function { Ok(()) } else { Err(format!("{text}\nparses as\n{again}")) }
}

fn read_pieces(pieces: &[&str], longest_item: usize) -> Result<Vec<Reading>, String> {
    let mut course = Course::new(longest_item);
    for piece in pieces {
        course.reader.push(piece);
        course.read()?;
    }
    course.end()
}

/// As a person types: what is whole at the end of a line is meant so, and the last item may never
/// be.
fn read_lines(text: &str, longest_item: usize) -> Result<(), String> {
    let mut course = Course::new(longest_item);
    for line in text.split_inclusive('\n') {
        course.reader.push(line);
        while let Some(read) = course.reader.read_line(&course.names) {
            course.take(read)?;
        }
    }
    course.reader.abandon();
    course.end().map(drop)
}

/// All at once, with a close look at each item.
fn read_whole(text: &str, longest_item: usize) -> Result<Vec<Reading>, String> {
    let mut course = Course::new(longest_item);
    course.reader.keep_tokens();
    course.reader.push(text);
    course.reader.finish();
    while let Some(read) = course.reader.read(&course.names) {
        check_shown(&course.reader, &read)?;
        check_printed(&course.reader, &read, &course.names)?;
        course.take(read)?;
    }
    course.end()
}

/// The diagnostics can be shown; the tokens are pieces of the text, in order.
fn check_shown(reader: &Reader, read: &Read) -> Result<(), String> {
    let source = reader.source();
    for diagnostic in &read.diagnostics {
        if render(diagnostic, &source, Color::Never).is_empty() {
            return Err(format!("nothing to show of {diagnostic:?}"));
        }
    }
    let mut end = read.span.start;
    for token in reader.tokens() {
        if token.span.start < end || source.slice(token.span).is_empty() {
            return Err(format!("{token:?} stands in a wrong place"));
        }
        end = token.span.end;
    }
    Ok(())
}

/// The item printed reads as the same.
fn check_printed(reader: &Reader, read: &Read, names: &Names) -> Result<(), String> {
    let Some((tree, item)) = reader.syntax() else { return Ok(()) };
    let printed = print::item(item, tree);
    let original = reader.source().slice(read.span).to_owned();
    let complain = |what: &str| Err(format!("{original}\n  printed as\n{printed}\n  {what}"));
    if outline(item, tree).is_empty() {
        return complain("has no outline");
    }

    let mut again = Reader::new("printed");
    again.push(&printed);
    again.finish();
    let Some(read_again) = again.read(names) else { return complain("is no item") };
    let Some((tree_again, item_again)) = again.syntax() else {
        return complain(&format!("is wrong: {:?}", read_again.diagnostics));
    };
    if !same_structure(item, tree, item_again, tree_again) {
        return complain("is another tree");
    }
    if print::item(item_again, tree_again) != printed {
        return complain("prints otherwise the second time");
    }
    if format!("{:?}", read.item) != format!("{:?}", read_again.item) {
        return complain("means something else");
    }
    if errors(read) != errors(&read_again) {
        return complain("has other errors");
    }
    if again.read(names).is_some() { complain("is more than one item") } else { Ok(()) }
}

fn errors(read: &Read) -> Vec<&'static str> {
    let errors = read.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    errors.map(|diagnostic| diagnostic.code.as_str()).collect()
}

/// The first reading that differs.
fn compare(whole: &[Reading], other: &[Reading], way: &str) -> Result<(), String> {
    let pairs = whole.iter().map(Some).chain([None]).zip(other.iter().map(Some).chain([None]));
    for (whole, other) in pairs {
        if whole != other {
            return Err(format!("read {way} it differs\n  expected {whole:?}\n  got      {other:?}"));
        }
    }
    Ok(())
}

/// The text cut at places that are the same for the same text.
fn random_pieces(text: &str) -> Vec<&str> {
    let seed = text.bytes().fold(1, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let mut random = Random::new(seed);
    let most = [4, 16, 64, 1024][random.below(4)];
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.ceil_char_boundary(1 + random.below(most)));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
