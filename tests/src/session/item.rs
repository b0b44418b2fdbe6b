//! Results of one item or one call from Rust, as far as all modes must agree on them.
//!
//! The modes may differ in how deep a recursion gets and how far an endless loop gets before it
//! stops. They may also differ in what an evaluation does after it redefined a function that it
//! calls.

use kaleidoscope::lang::number;
use kaleidoscope::{Diagnostic, DiagnosticCode, Span};

/// Errors that are compared by code alone: the output before them and the innermost function depend
/// on the mode.
const COMPARED_BY_CODE: &[DiagnosticCode] =
    &[DiagnosticCode::StackOverflow, DiagnosticCode::Interrupted, DiagnosticCode::TimedOut];

/// Output of one item or call.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) output: String,
    /// Whether a reaction redefined a function meanwhile.
    pub(super) is_undetermined: bool,
}

/// The results of one item, or of a call from Rust.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ItemRun {
    /// The printed value.
    pub(super) value: Option<String>,
    diagnostics: Vec<Diagnostic>,
    /// The position of the item. `None` for a call.
    span: Option<Span>,
    output: String,
    /// Whether a function was defined while the item ran. The rest of the item may use the old or
    /// the new function, so its results are not compared.
    is_undetermined: bool,
}

impl ItemRun {
    pub(super) fn new(
        value: Option<f64>,
        mut diagnostics: Vec<Diagnostic>,
        span: Option<Span>,
        run: Written,
    ) -> Self {
        let Written { mut output, is_undetermined } = run;
        let mut value = value.map(number::format);
        if is_undetermined {
            // Diagnostics of reading the item do not depend on the mode.
            diagnostics.retain(|diagnostic| !is_runtime_error(diagnostic.code));
            value = None;
            output.clear();
        }
        for diagnostic in
            diagnostics.iter_mut().filter(|diagnostic| COMPARED_BY_CODE.contains(&diagnostic.code))
        {
            diagnostic.message.clear();
            output.clear();
        }
        Self { value, diagnostics, span, output, is_undetermined }
    }

    /// Returns the codes of the errors.
    pub(super) fn errors(&self) -> impl Iterator<Item = DiagnosticCode> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).map(|diagnostic| diagnostic.code)
    }

    /// Returns whether the item is a definition or declaration that took effect.
    pub(super) fn is_change(&self) -> bool {
        self.value.is_none() && !self.is_undetermined && self.errors().next().is_none()
    }
}

/// Returns whether the code is one of a runtime error.
fn is_runtime_error(code: DiagnosticCode) -> bool {
    code.as_str().starts_with("KLS3")
}
