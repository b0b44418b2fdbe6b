//! Why there is no code for a function.

use std::fmt;

/// Why a function was not compiled.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The sort of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Compiling the function would take too long.
    TooLarge,
    /// Cranelift has not done what it was asked for: a mistake in it, or in this crate.
    Failed,
}

impl Error {
    pub(crate) fn too_large(name: &str) -> Self {
        Self { kind: ErrorKind::TooLarge, message: format!("`{name}` is too large to be compiled quickly") }
    }

    pub(crate) fn failed(what: &str, why: &dyn fmt::Display) -> Self {
        Self { kind: ErrorKind::Failed, message: format!("{what}: {why}") }
    }

    /// The sort of error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
