//! Results of one item or one call from Rust, as far as all modes must agree on them.
//!
//! The modes may differ in how deep a recursion gets and how far an endless loop gets before it
//! stops.

use kaleidoscope::lang::number;
use kaleidoscope::{Diagnostic, DiagnosticCode, Span};

/// Errors that are compared by code alone: the output before them and the innermost function depend
/// on the mode.
const COMPARED_BY_CODE: &[DiagnosticCode] =
    &[DiagnosticCode::StackOverflow, DiagnosticCode::Interrupted, DiagnosticCode::TimedOut];

/// The results of one item, or of a call from Rust.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ItemRun {
    /// The printed value.
    pub(super) value: Option<String>,
    diagnostics: Vec<Diagnostic>,
    /// The position of the item. `None` for a call.
    span: Option<Span>,
    output: String,
}

impl ItemRun {
    pub(super) fn new(
        value: Option<f64>,
        mut diagnostics: Vec<Diagnostic>,
        span: Option<Span>,
        mut output: String,
    ) -> Self {
        let value = value.map(number::format);
        for diagnostic in
            diagnostics.iter_mut().filter(|diagnostic| COMPARED_BY_CODE.contains(&diagnostic.code))
        {
            diagnostic.message.clear();
            output.clear();
        }
        Self { value, diagnostics, span, output }
    }

    /// Returns the codes of the errors.
    pub(super) fn errors(&self) -> impl Iterator<Item = DiagnosticCode> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).map(|diagnostic| diagnostic.code)
    }
}
