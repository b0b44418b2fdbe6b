//! Errors of the engine's own interface, before any call is made.

use crate::trap::Trap;
use kaleidoscope_native as native;
use std::fmt;

/// Why the engine could not do what it was asked to: the operating system refused memory, or the
/// process is a forked child.
#[derive(Debug)]
pub struct Error {
    message: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Error {
    pub(crate) fn stubs(source: native::Error) -> Self {
        Self { message: why_no_code(&source), source: source.into() }
    }

    /// The engine belongs to a process that forked this one.
    pub(crate) fn forked(trap: Trap) -> Self {
        Self { message: "the engine cannot be used in a forked child".to_owned(), source: trap.into() }
    }
}

/// Why the system refuses memory for code or stubs, and what to do.
#[cold]
pub(crate) fn why_no_code(error: &native::Error) -> String {
    if error.forbids_code() {
        format!("there can be no machine code here ({error}); the mode `off` needs none")
    } else {
        error.to_string()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
