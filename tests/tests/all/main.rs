//! Whole programs, run by every mode: case files, the examples, laziness at scale, random programs and
//! sessions, what fuzzing has collected; and what the code generators make, without an engine.

#![deny(unsafe_code)]

mod baseline;
mod cases;
mod corpus;
mod deep;
mod examples;
mod ir_text;
mod laziness;
mod optimized;
mod random;
mod sessions;

/// Whether expectations are to be rewritten instead of compared.
fn bless() -> bool {
    std::env::var_os("BLESS").is_some()
}
