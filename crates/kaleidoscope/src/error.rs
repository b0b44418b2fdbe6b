//! What can go wrong in asking an engine for something, before any program text or call is looked at.
//!
//! Mistakes in a user's program are no errors in this sense; they come as [`crate::Diagnostic`]s, and from calls as
//! [`crate::CallError`]s.

use crate::failure::{Failure, quoted};
use kaleidoscope_jit::Trap;
use kaleidoscope_lang::MAX_PARAMETERS;
use std::fmt;

/// Why what was asked of an engine could not be done.
///
/// ```
/// use kaleidoscope::{Engine, ErrorKind};
///
/// let engine = Engine::new()?;
/// let error = engine.function::<(f64, f64)>("sin").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::WrongArity);
/// assert_eq!(error.to_string(), "`sin` was asked for with 2 arguments, and takes 1");
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system gave no memory for the engine's stubs.
    Memory,
    /// No function has the name.
    UnknownFunction,
    /// The function takes another number of arguments.
    WrongArity,
    /// What was asked for was done, but an observer that was told of it panicked.
    Observer,
    /// The language has no such name: it is no identifier, or a keyword.
    InvalidName,
    /// A function has more parameters than the language allows.
    TooManyParameters,
}

impl Error {
    pub(crate) fn memory(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let message = "the engine got no memory for its stubs".to_owned();
        Self { kind: ErrorKind::Memory, message, source: Some(source.into()) }
    }

    pub(crate) fn unknown_function(name: &str) -> Self {
        let message = format!("there is no function `{name}`");
        Self { kind: ErrorKind::UnknownFunction, message, source: None }
    }

    pub(crate) fn wrong_arity(name: &str, asked: u32, takes: u32) -> Self {
        let message = format!("{} was asked for with {asked} arguments, and takes {takes}", quoted(name));
        Self { kind: ErrorKind::WrongArity, message, source: None }
    }

    /// A trap of a change of definitions: an observer panicked, or the system refused memory.
    pub(crate) fn of_trap(trap: Trap) -> Self {
        match trap {
            Trap::OutOfMemory { reason } => Self::memory(reason),
            trap => {
                let (_, message) = Failure::from(trap).describe();
                Self { kind: ErrorKind::Observer, message, source: None }
            }
        }
    }

    pub(crate) fn invalid_name(name: &str) -> Self {
        let message = format!("`{name}` is no name in the language");
        Self { kind: ErrorKind::InvalidName, message, source: None }
    }

    pub(crate) fn too_many_parameters(name: &str, n: u32) -> Self {
        let message = format!("`{name}` has {n} parameters, and the most are {MAX_PARAMETERS}");
        Self { kind: ErrorKind::TooManyParameters, message, source: None }
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}
