//! Numbers as the language writes and prints them.
//!
//! A value prints with the fewest digits that read back as the same double. Rust's own formatting finds those digits;
//! here is only the choice between the plain and the exponent form.

#[cfg(test)]
mod tests;

use std::fmt;

/// The value as the language prints it: `9`, `0.1`, `-0`, `1e16`, `5e-324`, `inf`, `nan`.
pub fn format(value: f64) -> String {
    Shown(value).to_string()
}

/// A value that displays as the language prints it.
#[derive(Clone, Copy, Debug)]
pub struct Shown(pub f64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        if value.is_nan() {
            f.write_str("nan")
        } else if value == 0.0 || value.is_infinite() || (1e-4..1e16).contains(&value.abs()) {
            write!(f, "{value}")
        } else {
            write!(f, "{value:e}")
        }
    }
}

/// What a literal of the right form means: the nearest double, infinity where it is too large.
pub(crate) fn parse_literal(text: &str) -> f64 {
    // Every form the lexer lets through is one that Rust reads, and both round to nearest.
    text.parse().unwrap_or(f64::NAN)
}

/// Whether a literal that means zero was written with a digit other than 0, so that it was too small.
pub(crate) fn has_nonzero_digit(literal: &str) -> bool {
    literal.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).any(|byte| matches!(byte, b'1'..=b'9'))
}
