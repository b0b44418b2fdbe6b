//! The Kaleidoscope language: reads text and makes IR and diagnostics of it.
//!
//! Text in, values out: this crate touches no files, clocks, threads or environment. It knows no
//! machine code and runs nothing; [`kaleidoscope_ir`] has the interpreter.
//!
//! The stages of a text, in the order to read the files in:
//!
//! 1. [`source`] stores the text.
//! 2. The lexer makes [`token`]s of it, and the parser a [`syntax`] tree of an item.
//! 3. The resolver asks [`names`] what each name means and makes the IR of the item.
//! 4. [`reader`] drives these item by item and returns [`item`]s. [`formula`] does the same for one
//!    expression.
//!
//! Mistakes are [`diagnostic`]s. [`print`](mod@print) makes text of a tree, and [`format`](mod@format)
//! lays a text out.

#![forbid(unsafe_code)]

pub mod source;

pub mod token;

mod lexer;

pub mod operator;
pub mod syntax;

pub mod conventions;

mod parser;
pub mod print;

mod signature;

pub mod names;

mod resolve;

pub mod item;

pub mod formula;
pub mod reader;

pub mod format;

pub mod diagnostic;

pub mod number;

#[cfg(test)]
mod test_kit;
#[cfg(test)]
mod tests;

pub use lexer::{is_name, tokens};
pub use parser::{MAX_NESTING, MAX_OPERATIONS, MAX_PARAMETERS};
