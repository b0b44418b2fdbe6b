//! Doubles as text: the shortest digits that read back as the same value.
//!
//! Rust's own formatting finds those digits; this module only chooses between the plain and the
//! exponent form.

use std::fmt;
use std::num::FpCategory;

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
        // Bits are compared, not numbers: a host may treat subnormal numbers as zero.
        let is_common = (1e-4_f64.to_bits()..1e16_f64.to_bits()).contains(&value.abs().to_bits());
        match value.classify() {
            FpCategory::Nan => f.write_str("nan"),
            FpCategory::Zero | FpCategory::Infinite => write!(f, "{value}"),
            FpCategory::Normal if is_common => write!(f, "{value}"),
            FpCategory::Normal | FpCategory::Subnormal => write!(f, "{value:e}"),
        }
    }
}
