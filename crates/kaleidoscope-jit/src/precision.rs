//! Precision of a batch: exact, or with the vector maths library.

/// How exact the results of a batch are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Precision {
    /// Bit for bit the results of single calls.
    #[default]
    Strict,
    /// Maths functions of the C library may be replaced by those of its vector maths library,
    /// which compute several rows at once and differ from the exact result by less than 4 units in
    /// the last place. Nothing else changes. It makes no difference for functions with loops or
    /// recursion, or that call host functions; nor where the library is missing or lacks a called
    /// function, as it lacks `fmod`, `fmin`, `fmax` and `tgamma`.
    Fast,
}
