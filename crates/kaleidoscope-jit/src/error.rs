//! Errors of the engine's own interface, before any call is made.

use crate::trap::Trap;
use kaleidoscope_ir::compile::CompileError;
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
        let message = match source.forbids_code() {
            true => explain(&source),
            false => format!("no memory for the stubs of functions: {source}"),
        };
        Self { message, source: source.into() }
    }

    /// The engine belongs to a process that forked this one.
    pub(crate) fn forked(trap: Trap) -> Self {
        Self { message: "the engine cannot be used in a forked child".to_owned(), source: trap.into() }
    }
}

/// Why there can be no machine code, and what to do.
fn explain(error: &native::Error) -> String {
    format!("there can be no machine code here ({error}); the mode `off` needs none")
}

/// Why code cannot be compiled: the reason that the compiler gives, or what the system forbids to
/// every compiler.
#[cold]
pub(crate) fn why_no_code(reason: CompileError) -> CompileError {
    match native::CodeMemory::check() {
        Err(error) if error.forbids_code() => CompileError::Failed(explain(&error)),
        _ => reason,
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
