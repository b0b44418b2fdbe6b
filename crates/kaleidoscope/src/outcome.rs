//! Outcomes: what running a text gave, item by item, and the error that one makes of it.

use crate::{Color, Diagnostic, Severity, Source, Span, render};
use std::error::Error;
use std::fmt;

/// The outcome of one item.
///
/// ```
/// use kaleidoscope::Engine;
///
/// let engine = Engine::new()?;
/// let outcome = engine.run("def f(x) x; f(1); g(1);");
/// let is_error: Vec<bool> = outcome.items.iter().map(|item| item.is_error()).collect();
/// assert_eq!(is_error, [false, false, true]);
/// assert_eq!(outcome.items[1].value, Some(1.0));
/// assert_eq!(outcome.source.slice(outcome.items[2].span), "g(1)");
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ItemOutcome {
    /// The value, if the item is a top-level expression that ran to its end.
    pub value: Option<f64>,
    /// Errors, which made the item fail, and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The item's place in the text.
    pub span: Span,
}

impl ItemOutcome {
    /// Whether the item failed.
    pub fn is_error(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// The outcome of a whole text.
///
/// ```
/// use kaleidoscope::{Color, Engine, render};
///
/// let outcome = Engine::new()?.run("1; x; 3;");
/// assert_eq!(outcome.values().collect::<Vec<_>>(), [1.0, 3.0]);
/// let text: String = outcome.diagnostics().map(|diagnostic| render(diagnostic, &outcome.source, Color::Never)).collect();
/// assert!(text.contains("there is no variable `x` here"));
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "items that failed are in the outcome; `ok` makes an error of them"]
pub struct Outcome {
    /// The items, in order.
    pub items: Vec<ItemOutcome>,
    /// The text, for rendering diagnostics.
    pub source: Source,
}

impl Outcome {
    /// The values of the top-level expressions that ran to their end, in order.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.items.iter().filter_map(|item| item.value)
    }

    /// The diagnostics of all items, in order.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> + '_ {
        self.items.iter().flat_map(|item| &item.diagnostics)
    }

    /// The values of the top-level expressions, if no item failed. Warnings do not matter.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// assert_eq!(engine.run("def f(x) x * 2; f(4); f(5);").ok()?, [8.0, 10.0]);
    ///
    /// let error = engine.run("f(1);\nf(x); g(1);").ok().unwrap_err();
    /// assert_eq!(error.to_string(), "text:2:3: there is no variable `x` here (and 1 more error)");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The whole outcome, with the items that did run.
    pub fn ok(self) -> Result<Vec<f64>, ProgramError> {
        self.without_errors().map(|outcome| outcome.values().collect())
    }

    /// The same outcome if no item failed.
    pub(crate) fn without_errors(self) -> Result<Self, ProgramError> {
        match self.items.iter().any(ItemOutcome::is_error) {
            true => Err(ProgramError::new(self)),
            false => Ok(self),
        }
    }
}

/// Items of a text failed. Shows the first error with its place.
#[derive(Clone, Debug)]
pub struct ProgramError(Box<Outcome>);

impl ProgramError {
    pub(crate) fn new(outcome: Outcome) -> Self {
        Self(Box::new(outcome))
    }

    /// The outcome of all items.
    pub fn outcome(&self) -> &Outcome {
        &self.0
    }

    /// The diagnostics as text, each with its place marked in the program.
    pub fn render(&self, color: Color) -> String {
        self.0.diagnostics().map(|diagnostic| render(diagnostic, &self.0.source, color)).collect()
    }
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut errors = self.0.diagnostics().filter(|diagnostic| diagnostic.is_error());
        let Some(first) = errors.next() else { return f.write_str("the program failed") };
        f.write_str(self.0.source.name())?;
        if let Some(span) = first.span {
            let place = self.0.source.position(span.start);
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        write!(f, ": {}", first.message)?;
        match errors.count() {
            0 => Ok(()),
            1 => f.write_str(" (and 1 more error)"),
            n => write!(f, " (and {n} more errors)"),
        }
    }
}

impl Error for ProgramError {}
