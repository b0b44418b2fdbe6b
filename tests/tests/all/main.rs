//! Tests of whole programs in every mode, and of the code generators without an engine.
//!
//! The programs are case files, the examples, random programs and sessions, and the fuzz corpora.

#![deny(unsafe_code)]

mod baseline;
mod built;
mod cases;
mod corpus;
mod cross;
mod deep;
mod examples;
mod formulas;
mod ir_text;
mod language;
mod laziness;
mod optimized;
mod random;
mod sessions;

/// Returns whether to rewrite expectations instead of comparing them.
fn bless() -> bool {
    std::env::var_os("BLESS").is_some()
}
