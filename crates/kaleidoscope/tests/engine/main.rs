//! The engine as an embedder uses it: values, errors, events, callbacks, threads.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[cfg(feature = "arrow")]
mod arrow;
mod batch;
mod callbacks;
mod events;
mod fork;
mod formulas;
mod functions;
mod host_functions;
mod host_variables;
mod lifecycle;
mod limits;
mod listing;
mod memory;
mod prelude;
mod redefinition;
mod stopping;
mod threads;
#[cfg(feature = "llvm")]
mod tiers;

use kaleidoscope::{Engine, Mode};

/// An engine in this mode whose output goes nowhere that matters.
fn engine(mode: Mode) -> Engine {
    Engine::builder().mode(mode).output(kaleidoscope::OutputBuffer::default()).build().unwrap()
}

/// Runs the text and expects these values and these codes of errors and warnings.
#[track_caller]
fn check(engine: &Engine, text: &str, values: &[f64], codes: &[&str]) {
    let outcome = engine.run(text);
    let found: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code.as_str()).collect();
    let mode = engine.mode();
    assert_eq!(outcome.values().collect::<Vec<_>>(), values, "{mode:?}: {text}: {:?}", outcome.items);
    assert_eq!(found, codes, "{mode:?}: {text}: {:?}", outcome.items);
}
