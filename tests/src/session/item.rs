//! What came of one item, or of a call from Rust, as far as all modes must agree on it.
//!
//! They agree on everything but this: how deep a recursion comes and how far an endless loop gets before it is stopped,
//! and what an evaluation does with the functions that it calls itself after one of them was defined again while it ran.

use kaleidoscope::lang::number;
use kaleidoscope::{CallError, Diagnostic, DiagnosticCode, Engine, ItemOutcome, Script, Span};

use super::sink::{Sink, Written};

/// Errors of which only the kind counts: what was written before, and which function was on top, depend on the mode.
const BY_KIND: &[DiagnosticCode] =
    &[DiagnosticCode::StackOverflow, DiagnosticCode::Interrupted, DiagnosticCode::TimedOut];

/// What came of one item, or of a call from Rust.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ItemRun {
    /// As it is printed.
    pub(super) value: Option<String>,
    diagnostics: Vec<Diagnostic>,
    /// Where the item stands; nothing for a call.
    span: Option<Span>,
    output: String,
    /// Whether a function was defined while the item ran: then it may go on with the old one or with the new one, and
    /// what comes of it is left open.
    is_open: bool,
}

impl ItemRun {
    fn new(value: Option<f64>, mut diagnostics: Vec<Diagnostic>, span: Option<Span>, run: Written) -> Self {
        let Written { mut output, is_open } = run;
        let mut value = value.map(number::format);
        if is_open {
            // What was said when the item was read stays.
            diagnostics.retain(|diagnostic| !is_of_running(diagnostic.code));
            value = None;
            output.clear();
        }
        for diagnostic in diagnostics.iter_mut().filter(|diagnostic| BY_KIND.contains(&diagnostic.code)) {
            diagnostic.message.clear();
            output.clear();
        }
        Self { value, diagnostics, span, output, is_open }
    }

    /// The codes of the errors.
    pub(super) fn errors(&self) -> impl Iterator<Item = DiagnosticCode> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).map(|diagnostic| diagnostic.code)
    }

    /// Whether it is a definition or a declaration that took effect.
    pub(super) fn is_change(&self) -> bool {
        self.value.is_none() && !self.is_open && self.errors().next().is_none()
    }
}

/// Whether the code belongs to what goes wrong while an item runs.
fn is_of_running(code: DiagnosticCode) -> bool {
    code.as_str().starts_with("KLS3")
}

/// Runs the items of the script, as far as `next` takes them.
pub(super) fn run_items(
    script: &mut Script,
    next: fn(&mut Script) -> Option<ItemOutcome>,
    sink: &Sink,
) -> Vec<ItemRun> {
    let mut items = Vec::new();
    while let (Some(item), written) = sink.listen(|| next(script)) {
        items.push(ItemRun::new(item.value, item.diagnostics, Some(item.span), written));
    }
    items
}

/// Runs a text of its own.
pub(super) fn run_apart(engine: &Engine, sink: &Sink, text: &str) -> Vec<ItemRun> {
    let mut script = engine.script("apart");
    script.push(text);
    script.finish();
    run_items(&mut script, Script::run_next, sink)
}

/// Makes a call from Rust.
pub(super) fn run_call(sink: &Sink, call: impl FnOnce() -> Result<f64, CallError>) -> ItemRun {
    let (result, written) = sink.listen(call);
    let error = result.as_ref().err().map(|error| Diagnostic::error(error.code(), None, error.to_string()));
    ItemRun::new(result.ok(), error.into_iter().collect(), None, written)
}
