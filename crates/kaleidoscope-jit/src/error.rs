//! Errors of the engine's own interface, before any call is made.

use crate::trap::Trap;
use std::fmt;

/// Why the engine could not do what it was asked to: the operating system refused memory, or the
/// process is a forked child.
#[derive(Debug)]
pub struct Error {
    message: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Error {
    pub(crate) fn stubs(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { message: "no memory for the stubs of functions", source: source.into() }
    }

    /// The engine belongs to a process that forked this one.
    pub(crate) fn forked(trap: Trap) -> Self {
        Self { message: "the engine cannot be used in a forked child", source: trap.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
