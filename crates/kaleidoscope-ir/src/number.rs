//! Doubles as text: the shortest digits that read back as the same value.
//!
//! Rust's own formatting finds those digits; this module only chooses between the plain and the
//! exponent form.

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
