//! The engine as an embedder uses it: values, errors, events, callbacks, threads.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod arch;
mod arrays;
#[cfg(feature = "arrow")]
mod arrow;
mod backend;
mod backtraces;
mod batch;
mod callbacks;
#[cfg(all(feature = "llvm", not(feature = "stress")))]
mod code_cache;
mod compile_limits;
mod constants;
mod deoptimization;
mod events;
mod float_modes;
mod fork;
mod formulas;
mod functions;
mod gated_backend;
mod host_functions;
mod host_variables;
mod huge;
mod lifecycle;
mod limits;
mod listing;
mod memory;
mod nested_limits;
mod prelude;
mod process_fork;
mod redefinition;
mod replacing;
mod signal_settings;
mod small_stacks;
mod snapshots;
mod stale_code;
mod stopping;
mod thread_end;
mod thread_limits;
mod threads;
#[cfg(feature = "llvm")]
mod tiers;

use kaleidoscope::{Engine, Mode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// An engine in this mode whose output is discarded.
fn engine(mode: Mode) -> Engine {
    Engine::builder().mode(mode).output(kaleidoscope::OutputBuffer::default()).build().unwrap()
}

/// How long a test waits for a background thread, which takes milliseconds on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Repeats an action until a condition holds. An action that only waits is
/// [`std::thread::yield_now`]. An action that makes code hot does not yield: beside busy processes,
/// each yield takes many milliseconds.
///
/// # Panics
///
/// When the condition does not hold after [`PATIENCE`].
#[track_caller]
fn until(condition: impl Fn() -> bool, mut meanwhile: impl FnMut()) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "the condition does not hold after {PATIENCE:?}");
        meanwhile();
    }
}

/// Sets the flag when it is dropped, so that the threads that wait for it end when a test fails.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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
