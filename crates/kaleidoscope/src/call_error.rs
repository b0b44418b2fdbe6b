//! Call errors: the failures of calls from Rust, with the codes and sentences of diagnostics.

use crate::DiagnosticCode;
use crate::backtrace::{Frame, Place};
use crate::failure::Failure;
use kaleidoscope_jit::Trap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a call of a function ended early.
///
/// The message names the functions in which the call ended, with the lines where their definitions
/// begin. The [`source`](Error::source) is the error of a host function, if one returned it. The
/// message does not repeat it; the alternate form `{:#}` does. Two errors are equal if their codes,
/// rows and messages are.
///
/// ```
/// use kaleidoscope::{DiagnosticCode, Engine};
///
/// let engine = Engine::new()?;
/// engine.run("def f(x) missing(x);").ok()?;
/// let error = engine.function::<(f64,)>("f")?.call((1.0,)).unwrap_err();
/// assert_eq!(error.code(), DiagnosticCode::UndefinedCalled);
/// assert_eq!(error.to_string(), "`missing` was called in `f` (text:1), and is still undefined");
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
    frames: Box<[Frame]>,
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
    /// let text = error.to_string();
    /// assert_eq!(text, "row 2: `missing` was called in `f` (text:1), and is still undefined");
    /// assert_eq!(out, [6.0, 12.0, 0.0, 0.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn row(&self) -> Option<usize> {
        self.0.row
    }

    /// The functions in which the call ended, innermost first, as far as they are known: at most
    /// 32, and none that was inlined. A function that calls itself is one of them. For a call that
    /// could not begin, because the number of arguments is wrong, the function that was to be
    /// called. Formulas are not among them.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.register("fail", || Err::<f64, _>("no luck"))?;
    /// engine.run_named("rates.kal", "def inner(x)\n  fail();\ndef outer(x)\n  inner(x) + 1;").ok()?;
    /// let error = engine.function::<(f64,)>("outer")?.call((1.0,)).unwrap_err();
    /// let shown: Vec<_> = error.backtrace().iter().map(|frame| frame.to_string()).collect();
    /// assert_eq!(shown, ["`inner` (rates.kal:1)", "`outer` (rates.kal:3)"]);
    /// assert_eq!(error.place().map(|place| place.line()), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn backtrace(&self) -> &[Frame] {
        &self.0.frames
    }

    /// Where the definition begins of the innermost function whose place is known.
    pub fn place(&self) -> Option<&Place> {
        self.0.frames.iter().find_map(Frame::place)
    }
}

impl CallError {
    /// The error of a failure whose functions have these frames.
    #[cold]
    pub(crate) fn new(failure: Failure, frames: Vec<Frame>) -> Self {
        let (code, message) = failure.describe_in(&frames);
        let (frames, source) = (frames.into(), failure.into_source());
        Self(Box::new(Inner { code, message, row: None, frames, source }))
    }

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
        let functions = failure.functions();
        let frames = functions.into_iter().map(|name| Frame::new(Arc::clone(name), None)).collect();
        Self::new(failure, frames)
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
        f.write_str(&self.0.message)?;
        match &self.0.source {
            Some(source) if f.alternate() => write!(f, ": {source:#}"),
            _ => Ok(()),
        }
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
