//! Call errors: the failures of calls from Rust, with the codes and sentences of diagnostics.

use crate::DiagnosticCode;
use crate::failure::Failure;
use kaleidoscope_jit::Trap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a call of a function ended early.
///
/// The [`source`](Error::source) is the error of a host function, if one returned it. Two errors
/// are equal if their codes and messages are.
///
/// ```
/// use kaleidoscope::{DiagnosticCode, Engine};
///
/// let engine = Engine::new()?;
/// engine.run("def f(x) missing(x);");
/// let error = engine.function::<(f64,)>("f")?.call((1.0,)).unwrap_err();
/// assert_eq!(error.code(), DiagnosticCode::UndefinedCalled);
/// assert_eq!(error.to_string(), "`missing` was called, and is still undefined");
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError(Box<Inner>);

// Behind a pointer, so that the result of every call is small.
#[derive(Clone, Debug)]
struct Inner {
    code: DiagnosticCode,
    message: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl PartialEq for Inner {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code && self.message == other.message
    }
}

impl Eq for Inner {}

impl CallError {
    /// The kind of error, for example [`DiagnosticCode::StackOverflow`].
    pub fn code(&self) -> DiagnosticCode {
        self.0.code
    }
}

impl From<Failure> for CallError {
    #[cold]
    fn from(failure: Failure) -> Self {
        let (code, message) = failure.describe();
        Self(Box::new(Inner { code, message, source: failure.into_source() }))
    }
}

impl From<Trap> for CallError {
    #[cold]
    fn from(trap: Trap) -> Self {
        Failure::from(trap).into()
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}
