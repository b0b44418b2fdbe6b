//! Reader properties that hold for every text, valid or not. Nothing runs.
//!
//! - Reading ends: each item consumes text and either is valid or has an error.
//! - A printed item that is read again, with the same names, has the same tree and meaning.
//! - A text in pieces reads like the text in one piece, also with a limit on the length of an item.
//! - Each function satisfies the IR verifier, and its text form parses to the same function.
//! - Diagnostics can be rendered, and the positions of tokens are correct.

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

/// Length limit in bytes for reading character by character: the reader starts an unfinished item
/// again for each character.
const SHORT: usize = 160;

/// The limit on the length of an item, in bytes. Most texts have longer items.
const LONGEST_ITEM: usize = 24;

/// The result of reading one item.
#[derive(Debug, PartialEq)]
struct Reading {
    span: Span,
    /// The resolved item, as text.
    item: Option<String>,
    diagnostics: Vec<Diagnostic>,
}

/// Reads the text in one piece, in pieces, by line and by character, and compares the results.
///
/// # Errors
///
/// Describes the property that does not hold.
pub fn check(text: &str) -> Result<(), String> {
    parse_as_ir(text);
    let ways = [(usize::MAX, false), (usize::MAX, true), (LONGEST_ITEM, false)];
    for (longest_item, has_conventions) in ways {
        let way = Way { longest_item, has_conventions };
        let whole = read_whole(text, way)?;
        compare(&whole, &read_pieces(&random_pieces(text), way)?, "in pieces")?;
        if text.len() <= SHORT {
            let characters: Vec<&str> = text.split("").filter(|piece| !piece.is_empty()).collect();
            compare(&whole, &read_pieces(&characters, way)?, "character by character")?;
        }
        read_lines(text, way)?;
    }
    Ok(())
}

/// How a text is read.
#[derive(Clone, Copy)]
struct Way {
    /// The most bytes of an item.
    longest_item: usize,
    /// Whether the program has the conventions of the prelude.
    has_conventions: bool,
}

/// One pass over a text: a reader, the names that its items define, and the results so far.
struct Pass {
    reader: Reader,
    names: Names,
    readings: Vec<Reading>,
}

impl Pass {
    fn new(way: Way) -> Self {
        let mut names = Names::new();
        names.declare_host("putchard", 1);
        names.declare_host("printd", 1);
        let mut reader = Reader::new("text");
        reader.limit_items(way.longest_item);
        if way.has_conventions {
            names.use_conventions(&[]);
        }
        Self { reader, names, readings: Vec::new() }
    }

    /// Checks the item and commits its names.
    fn take(&mut self, read: Read) -> Result<(), String> {
        let has_errors = read.diagnostics.iter().any(Diagnostic::is_error);
        if read.item.is_some() == has_errors {
            return Err(format!("expected either an item or an error: {read:?}"));
        }
        let n_bytes = self.reader.source().text().len();
        if self.readings.len() > n_bytes {
            return Err(format!("more items than bytes: the reader is stuck at {:?}", read.span));
        }
        if let Some(item) = &read.item {
            self.names.commit(item);
            check_function(item)?;
        }
        let item = read.item.map(|item| format!("{item:?}"));
        self.readings.push(Reading { span: read.span, item, diagnostics: read.diagnostics });
        Ok(())
    }

    /// Reads all complete items.
    fn read(&mut self) -> Result<(), String> {
        while let Some(read) = self.reader.read(&self.names) {
            self.take(read)?;
        }
        Ok(())
    }

    /// Finishes the text and reads the rest.
    fn end(mut self) -> Result<Vec<Reading>, String> {
        self.reader.finish();
        self.read()?;
        if self.reader.pending() { Err("text is left over".to_owned()) } else { Ok(self.readings) }
    }
}

/// Parses the text as the IR text form and verifies its functions. Most texts are not in that form,
/// but no text may make the parser or the verifier panic.
fn parse_as_ir(text: &str) {
    for function in ir_text::parse(text).unwrap_or_default() {
        let _ = verify(&function);
    }
}

/// Checks that the item's function satisfies the verifier, and that its text form parses to the
/// same function.
fn check_function(item: &Item) -> Result<(), String> {
    let (Item::Definition { function, .. } | Item::Expression { function, .. }) = item else { return Ok(()) };
    let text = function.to_string();
    verify(function).map_err(|error| format!("{error}\n{text}"))?;
    let again: Function = text.parse().map_err(|error| format!("{error}\n{text}"))?;
    if again == **function { Ok(()) } else { Err(format!("{text}\nparses as\n{again}")) }
}

fn read_pieces(pieces: &[&str], way: Way) -> Result<Vec<Reading>, String> {
    let mut pass = Pass::new(way);
    for piece in pieces {
        pass.reader.push(piece);
        pass.read()?;
    }
    pass.end()
}

/// Reads line by line, as a person types: a complete item ends at the end of its line, and the
/// last item may stay unfinished.
fn read_lines(text: &str, way: Way) -> Result<(), String> {
    let mut pass = Pass::new(way);
    for line in text.split_inclusive('\n') {
        pass.reader.push(line);
        while let Some(read) = pass.reader.read_line(&pass.names) {
            pass.take(read)?;
        }
    }
    pass.reader.abandon();
    pass.end().map(drop)
}

/// Reads the text in one piece and checks each item.
fn read_whole(text: &str, way: Way) -> Result<Vec<Reading>, String> {
    let mut pass = Pass::new(way);
    pass.reader.keep_tokens();
    pass.reader.push(text);
    pass.reader.finish();
    while let Some(read) = pass.reader.read(&pass.names) {
        check_rendering(&pass.reader, &read)?;
        check_printing(&pass.reader, &read, &pass.names)?;
        pass.take(read)?;
    }
    pass.end()
}

/// Checks that diagnostics can be rendered and that tokens are pieces of the text, in order.
fn check_rendering(reader: &Reader, read: &Read) -> Result<(), String> {
    let source = reader.source();
    for diagnostic in &read.diagnostics {
        if render(diagnostic, &source, Color::Never).is_empty() {
            return Err(format!("the rendering of {diagnostic:?} is empty"));
        }
    }
    let mut end = read.span.start;
    for token in reader.tokens() {
        if token.span.start < end || source.slice(token.span).is_empty() {
            return Err(format!("{token:?} has a wrong position"));
        }
        end = token.span.end;
    }
    Ok(())
}

/// Checks that the printed item reads as the same item.
fn check_printing(reader: &Reader, read: &Read, names: &Names) -> Result<(), String> {
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
    let Some(read_again) = again.read(names) else { return complain("is not an item") };
    let Some((tree_again, item_again)) = again.syntax() else {
        return complain(&format!("has diagnostics: {:?}", read_again.diagnostics));
    };
    if !same_structure(item, tree, item_again, tree_again) {
        return complain("has another tree");
    }
    if print::item(item_again, tree_again) != printed {
        return complain("prints differently the second time");
    }
    if format!("{:?}", read.item) != format!("{:?}", read_again.item) {
        return complain("has another meaning");
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

/// Reports the first reading that differs.
fn compare(whole: &[Reading], other: &[Reading], way: &str) -> Result<(), String> {
    let pairs = whole.iter().map(Some).chain([None]).zip(other.iter().map(Some).chain([None]));
    for (whole, other) in pairs {
        if whole != other {
            return Err(format!("reading {way} differs\n  expected {whole:?}\n  got      {other:?}"));
        }
    }
    Ok(())
}

/// Cuts the text at random places, which depend on the text alone.
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
