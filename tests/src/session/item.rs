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
        for diagnostic in &mut diagnostics {
            remove_backtrace(&mut diagnostic.message);
        }
        Self { value, diagnostics, span, output }
    }

    /// Returns the codes of the errors.
    pub(super) fn errors(&self) -> impl Iterator<Item = DiagnosticCode> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).map(|diagnostic| diagnostic.code)
    }
}

/// Removes the functions in which an evaluation ended: ` in f (text:1), called by g, h`. Functions
/// that were inlined are not among them, so they depend on the tier.
fn remove_backtrace(message: &mut String) {
    let Some(start) = message.find(" in `") else { return };
    let mut rest = &message[start + " in ".len()..];
    while let Some(frame) = rest.strip_prefix('`') {
        let Some((_, behind)) = frame.split_once('`') else { break };
        let place = behind.strip_prefix(" (").and_then(|place| place.split_once(')'));
        rest = place.map_or(behind, |(_, behind)| behind);
        let next = rest.strip_prefix(", called by ").or_else(|| rest.strip_prefix(", "));
        rest = next.filter(|next| next.starts_with('`')).unwrap_or(rest);
    }
    let end = message.len() - rest.len();
    message.replace_range(start..end, "");
}

#[cfg(test)]
mod tests {
    use super::remove_backtrace;

    #[test]
    fn the_backtrace_alone_is_removed() {
        let cases = [
            (
                "`g` was called in `f` (a:1), called by `h`, `i` (b:2), and is still",
                "`g` was called, and is still",
            ),
            ("`g` failed in `f`, called by `h`: no `x`, `y`", "`g` failed: no `x`, `y`"),
            ("interrupted in `f`", "interrupted"),
            ("there is no function `f`", "there is no function `f`"),
        ];
        for (message, expected) in cases {
            let mut message = message.to_owned();
            remove_backtrace(&mut message);
            assert_eq!(message, expected);
        }
    }
}
