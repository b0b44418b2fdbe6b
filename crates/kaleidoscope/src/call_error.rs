//! Call errors: the failures of calls from Rust, with the codes and sentences of diagnostics.

use crate::DiagnosticCode;
use crate::failure::Failure;
use kaleidoscope_jit::{RowTrap, Trap};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a call of a function ended early.
///
/// The [`source`](Error::source) is the error of a host function, if one returned it. Two errors
/// are equal if their codes, rows and messages are.
///
/// ```
/// use kaleidoscope::{DiagnosticCode, Engine};
///
/// let engine = Engine::new()?;
/// engine.run("def f(x) missing(x);").ok()?;
/// let error = engine.function::<(f64,)>("f")?.call((1.0,)).unwrap_err();
/// assert_eq!(error.code(), DiagnosticCode::UndefinedCalled);
/// assert_eq!(error.to_string(), "`missing` was called, and is still undefined");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError(Box<Inner>);

// Behind a pointer, so that the result of every call is small.
#[derive(Clone, Debug)]
struct Inner {
    code: DiagnosticCode,
    message: String,
    row: Option<usize>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl PartialEq for Inner {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code && self.message == other.message && self.row == other.row
    }
}

impl Eq for Inner {}

impl CallError {
    /// The kind of error, for example [`DiagnosticCode::StackOverflow`].
    pub fn code(&self) -> DiagnosticCode {
        self.0.code
    }

    /// The row of a scan or fold that was not completed, from 0. All rows before it are done, and
    /// none behind it. `None` for other calls.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def f(s x) if x then s + x else missing(s);").ok()?;
    /// let f = engine.function::<(f64, f64)>("f")?;
    /// let mut out = [0.0; 4];
    /// let error = f.scan(1.0, &[&[5.0, 6.0, 0.0, 7.0]], &mut out).unwrap_err();
    /// assert_eq!(error.row(), Some(2));
    /// assert_eq!(error.to_string(), "row 2: `missing` was called, and is still undefined");
    /// assert_eq!(out, [6.0, 12.0, 0.0, 0.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn row(&self) -> Option<usize> {
        self.0.row
    }
}

impl CallError {
    /// The error with this row.
    #[cold]
    pub(crate) fn at_row(mut self, row: usize) -> Self {
        self.0.row = Some(row);
        self
    }
}

impl From<Failure> for CallError {
    #[cold]
    fn from(failure: Failure) -> Self {
        let (code, message) = failure.describe();
        Self(Box::new(Inner { code, message, row: None, source: failure.into_source() }))
    }
}

impl From<RowTrap> for CallError {
    #[cold]
    fn from(trap: RowTrap) -> Self {
        let RowTrap { row, trap } = trap;
        let error = Self::from(trap);
        match row {
            Some(row) => error.at_row(row),
            None => error,
        }
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
        if let Some(row) = self.0.row {
            write!(f, "row {row}: ")?;
        }
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
