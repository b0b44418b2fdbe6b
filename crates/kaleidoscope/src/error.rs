//! Errors of requests to the engine that no program text causes.
//!
//! Mistakes in a program are [`crate::Diagnostic`]s, and failed calls return [`crate::CallError`].

use crate::failure::{Failure, arguments, quoted};
use kaleidoscope_jit::Trap;
use kaleidoscope_lang::MAX_PARAMETERS;
use std::fmt;

/// Why the engine refused a request.
///
/// ```
/// use kaleidoscope::{Engine, ErrorKind};
///
/// let engine = Engine::new()?;
/// let error = engine.function::<(f64, f64)>("sin").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::WrongArity);
/// assert_eq!(error.to_string(), "`sin` takes 1 argument, not 2");
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused memory for the engine's stubs, or forbids machine code
    /// ([`Mode::Off`](crate::Mode::Off) needs none).
    Memory,
    /// No function has the name.
    UnknownFunction,
    /// The function takes a different number of arguments.
    WrongArity,
    /// The request succeeded, but an observer of its events panicked.
    Observer,
    /// The name is a keyword, or not an identifier.
    InvalidName,
    /// A function has more parameters than the language allows.
    TooManyParameters,
    /// A function and an array, or two arrays, would have the same name.
    NameInUse,
    /// A limit on functions or on the length of items is too small for the prelude.
    LimitTooSmall,
    /// A program that is compiled ahead of time needs its host.
    CannotBuild,
    /// The engine cannot be used here: in a forked child, or on a thread with too little stack.
    CannotEvaluate,
    /// The snapshot is of another engine.
    OtherEngine,
}

impl Error {
    pub(crate) fn memory(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        Self { kind: ErrorKind::Memory, message: source.to_string(), source: Some(source) }
    }

    pub(crate) fn unknown_function(name: &str) -> Self {
        let message = format!("there is no function `{name}`");
        Self { kind: ErrorKind::UnknownFunction, message, source: None }
    }

    pub(crate) fn wrong_arity(name: &str, requested: u32, takes: u32) -> Self {
        let message = format!("{} takes {}, not {requested}", quoted(name), arguments(takes));
        Self { kind: ErrorKind::WrongArity, message, source: None }
    }

    /// A trap of a change of definitions: an observer panicked, or the system refused memory.
    pub(crate) fn of_trap(trap: Trap) -> Self {
        match trap {
            Trap::OutOfMemory { reason } => Self::memory(reason),
            Trap::CannotEvaluate { .. } | Trap::StackOverflow { .. } => {
                let (_, message) = Failure::from(trap).describe();
                Self { kind: ErrorKind::CannotEvaluate, message, source: None }
            }
            trap => {
                let (_, message) = Failure::from(trap).describe();
                Self { kind: ErrorKind::Observer, message, source: None }
            }
        }
    }

    pub(crate) fn invalid_name(name: &str) -> Self {
        let message = format!("`{name}` is not a valid name");
        Self { kind: ErrorKind::InvalidName, message, source: None }
    }

    /// An array would have the name of a function.
    pub(crate) fn name_of_function(name: &str) -> Self {
        let message = format!("`{name}` is a function, so no array can have this name");
        Self { kind: ErrorKind::NameInUse, message, source: None }
    }

    /// A function or another array would have the name of an array.
    pub(crate) fn name_of_array(name: &str, what: &str) -> Self {
        let message = format!("`{name}` is an array, so no {what} can have this name");
        Self { kind: ErrorKind::NameInUse, message, source: None }
    }

    pub(crate) fn too_many_parameters(name: &str, n: u32) -> Self {
        let message = format!("`{name}` has {n} parameters; the maximum is {MAX_PARAMETERS}");
        Self { kind: ErrorKind::TooManyParameters, message, source: None }
    }

    pub(crate) fn cannot_build(reason: &str) -> Self {
        let message = format!("the program cannot be compiled ahead of time: {reason}");
        Self { kind: ErrorKind::CannotBuild, message, source: None }
    }

    pub(crate) fn limit_too_small(reason: &str) -> Self {
        let message = format!("the prelude exceeds a limit: {reason}");
        Self { kind: ErrorKind::LimitTooSmall, message, source: None }
    }

    pub(crate) fn other_engine() -> Self {
        let message = "the snapshot is of another engine".to_owned();
        Self { kind: ErrorKind::OtherEngine, message, source: None }
    }

    /// The kind of error.
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
