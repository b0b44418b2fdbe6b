//! Whole programs, run by every mode: case files, the examples, laziness at scale, random programs.

#![forbid(unsafe_code)]

mod cases;
mod deep;
mod examples;
mod laziness;
mod random;

/// Whether expectations are to be rewritten instead of compared.
fn bless() -> bool {
    std::env::var_os("BLESS").is_some()
}
