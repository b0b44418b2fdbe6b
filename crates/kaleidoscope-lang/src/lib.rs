//! The Kaleidoscope language: text to resolved program, diagnostics, reference evaluator.
//!
//! Text in, values out: this crate touches no files, clocks, threads or environment, and knows no machine code.
//!
//! The way of a text, which is also the order to read the files in: [`source`] holds it, the lexer makes it [`token`]s,
//! the parser a [`syntax`] tree, the resolver asks [`names`] what is meant and makes the resolved form of [`code`];
//! [`reader`] drives this item by item. What goes wrong is a [`diagnostic`]. [`evaluate`](mod@evaluate) runs the
//! resolved form as plainly as can be.

#![forbid(unsafe_code)]

pub mod source;

mod lexer;
pub mod token;

pub mod operator;
pub mod syntax;

mod parser;
pub mod print;

pub mod names;

mod resolve;

pub mod item;

pub mod formula;
pub mod reader;

pub mod diagnostic;

pub mod number;

#[cfg(test)]
mod facts_of_text;
#[cfg(test)]
mod ir_text;
#[cfg(test)]
mod meaning;
#[cfg(test)]
mod testing;

pub use parser::{MAX_NESTING, MAX_OPERATIONS, MAX_PARAMETERS};
