//! Mistakes as values: what is wrong, where, and how sure we are of the remedy.
//!
//! Every stage returns its best result and a list of these; nothing is printed here. [`render`] makes the text for a
//! person, and the fields are public for everyone who shows them otherwise (JSON, an editor).

mod code;
mod render;
#[cfg(test)]
mod tests;

pub use code::DiagnosticCode;
pub use render::{Color, render};

use crate::source::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The item, or its evaluation, has failed.
    Error,
    /// The item is taken as it stands, but it may not be what was meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place worth looking at, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of mistake; stable, so that scripts may rely on it.
    pub code: DiagnosticCode,
    /// How bad it is.
    pub severity: Severity,
    /// Where, if it is anywhere in the text.
    pub span: Option<Span>,
    /// One sentence, lower case, without the final dot.
    pub message: String,
    /// Other places that belong to it.
    pub labels: Vec<Label>,
    /// What to do about it, where that is certain.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: DiagnosticCode, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            span: span.into(),
            message: message.into(),
            labels: Vec::new(),
            hint: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: DiagnosticCode, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// The same with another place to look at.
    #[must_use]
    pub fn with_label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether it is an error and no warning.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
