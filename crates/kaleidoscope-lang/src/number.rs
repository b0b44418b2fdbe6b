//! Numbers as the language reads and prints them. [`kaleidoscope_ir::number`] prints.

#[cfg(test)]
mod tests;

pub use kaleidoscope_ir::number::{Shown, format};

/// The value of a well-formed literal: the nearest double, or infinity if the literal is too large.
pub(crate) fn parse_literal(text: &str) -> f64 {
    // Rust reads every form that the lexer accepts, and both round to nearest.
    text.parse().unwrap_or(f64::NAN)
}

/// Whether a literal with the value zero has a digit other than 0, and so was too small for a
/// double.
pub(crate) fn has_nonzero_digit(literal: &str) -> bool {
    literal.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).any(|byte| matches!(byte, b'1'..=b'9'))
}
