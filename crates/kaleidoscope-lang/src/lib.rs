//! The Kaleidoscope language: text to resolved program, diagnostics, reference evaluator.
//!
//! Text in, values out: this crate touches no files, clocks, threads or environment, and knows no machine code.

#![forbid(unsafe_code)]

pub mod code;
pub mod maths;
