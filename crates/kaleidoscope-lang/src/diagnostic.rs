//! Diagnostics: mistakes as values, with a code, a place, a message and sometimes a hint.
//!
//! Every stage returns its best result and a list of diagnostics, and prints nothing. [`render()`]
//! makes text of a diagnostic for a person. The fields are public for other uses: JSON, an editor.

mod code;
mod render;
#[cfg(test)]
mod tests;

pub use code::DiagnosticCode;
pub use render::{Color, render};

use crate::source::Span;

/// How severe a mistake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The item failed, or running it did.
    Error,
    /// The item is accepted, but it may not mean what its author intended.
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

/// Another place that a diagnostic shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// One mistake in a text, or one trap of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of mistake. Codes are stable, so scripts may rely on them.
    pub code: DiagnosticCode,
    /// The severity.
    pub severity: Severity,
    /// The place in the text, if there is one.
    pub span: Option<Span>,
    /// One sentence, lower case, without a final dot.
    pub message: String,
    /// Other places that belong to the mistake.
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

    /// Adds another place.
    #[must_use]
    pub fn with_label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether the severity is error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
