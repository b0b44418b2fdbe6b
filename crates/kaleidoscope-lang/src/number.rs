//! Numbers as the language writes and prints them.
//!
//! A value prints with the fewest digits that read back as the same double. Rust's own formatting finds those digits;
//! here is only the choice between the plain and the exponent form.

#[cfg(test)]
mod tests;

pub use kaleidoscope_ir::number::{Shown, format};

/// What a literal of the right form means: the nearest double, infinity where it is too large.
pub(crate) fn parse_literal(text: &str) -> f64 {
    // Every form the lexer lets through is one that Rust reads, and both round to nearest.
    text.parse().unwrap_or(f64::NAN)
}

/// Whether a literal that means zero was written with a digit other than 0, so that it was too small.
pub(crate) fn has_nonzero_digit(literal: &str) -> bool {
    literal.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).any(|byte| matches!(byte, b'1'..=b'9'))
}
