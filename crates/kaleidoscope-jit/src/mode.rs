//! Modes: when functions are compiled, and by which tier.

/// When functions are compiled, and by which tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Baseline at a function's first call; optimized in the background when it is hot.
    #[default]
    Tiered,
    /// Optimized at a function's first call.
    Lazy,
    /// Optimized when a function is defined. For comparison.
    Eager,
    /// Baseline at a function's first call, and never optimized.
    Baseline,
    /// Never compiled: the interpreter runs everything.
    Off,
}

impl Mode {
    /// All modes.
    pub const ALL: &[Self] = &[Self::Tiered, Self::Lazy, Self::Eager, Self::Baseline, Self::Off];

    /// The word for the mode on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiered => "tiered",
            Self::Lazy => "lazy",
            Self::Eager => "eager",
            Self::Baseline => "baseline",
            Self::Off => "off",
        }
    }

    /// Whether the mode uses the optimizing compiler.
    pub(crate) fn optimizes(self) -> bool {
        matches!(self, Self::Tiered | Self::Lazy | Self::Eager)
    }

    /// Whether loop-free code that runs once runs in the interpreter tier.
    pub(crate) fn has_interpreter_tier(self) -> bool {
        matches!(self, Self::Tiered | Self::Baseline)
    }
}
