//! Engines: made, given text, stopped, given back.

use std::ffi::c_char;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kaleidoscope::{Diagnostic, Engine};

use crate::callback::HostData;
use crate::diagnostics::Diagnostics;
use crate::entry::{Place, ask, borrowed, entry, take_back, text};
use crate::error::{kls_error, kls_status};
use crate::options::kls_options;
use crate::outcome::kls_outcome;

/// An engine: runs programs, and keeps what they define. Given back by kls_engine_free.
///
/// It may be used by several threads at once.
#[derive(Debug)]
pub struct kls_engine {
    pub(crate) engine: Engine,
    /// Handles with the same number are of the same engine.
    pub(crate) number: u64,
}

impl kls_engine {
    fn new(engine: Engine) -> Self {
        static N_ENGINES: AtomicU64 = AtomicU64::new(0);
        Self { engine, number: N_ENGINES.fetch_add(1, Ordering::Relaxed) }
    }
}

/// The version of this library, "0.1.0" say. It lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn kls_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Makes an engine, with `options` or, if that is `NULL`, as it usually is.
///
/// `options->output_data` is the engine's from here on, also when this fails. The rest of the options is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_new(
    options: *const kls_options,
    engine: *mut *mut kls_engine,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let (options, verdict) = unsafe { kls_options::read(options) }?;
        let output_data = HostData::new(options.output_data, options.output_destroy);
        verdict?;
        // SAFETY: the host's promise.
        let place = unsafe { Place::new(engine, "engine") }?;
        // SAFETY: the host's promise.
        let builder = unsafe { options.builder(output_data) }?;
        place.give(kls_engine::new(builder.build()?));
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Makes another handle of the same engine: a text that is run by it, a scope entered by it, or a call of a function made by it may take
/// so many microseconds, compiling included. It is given back by itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_within(
    engine: *const kls_engine,
    microseconds: u64,
    other: *mut *mut kls_engine,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        // SAFETY: the host's promise.
        let place = unsafe { Place::new(other, "other") }?;
        let limited = engine.engine.within(Duration::from_micros(microseconds));
        place.give(kls_engine { engine: limited, number: engine.number });
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Makes another engine, which begins with what is defined in this one. What is defined later in one is not seen by the other;
/// functions of the host and variables are shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_fork(
    engine: *const kls_engine,
    other: *mut *mut kls_engine,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        // SAFETY: the host's promise.
        let place = unsafe { Place::new(other, "other") }?;
        place.give(kls_engine::new(engine.engine.fork()?));
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Gives a handle of an engine back; nothing for `NULL`. The engine itself goes with the last of its handles and functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_free(engine: *mut kls_engine) {
    // SAFETY: the host's promise.
    unsafe { take_back(engine) };
}

/// Runs a text: every item, going on after errors.
///
/// `name` is for diagnostics, a file's name say; `NULL` for none. If `outcome` is not `NULL` it is given what came of the text, also
/// when this is KLS_PROGRAM: that at least one item has failed. The error then speaks of the first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_run(
    engine: *const kls_engine,
    name: *const c_char,
    program: *const c_char,
    outcome: *mut *mut kls_outcome,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        // SAFETY: the host's promise.
        let name = if name.is_null() { "text" } else { unsafe { text(name, "name") }? };
        // SAFETY: the host's promise.
        let program = unsafe { text(program, "program") }?;
        let mut script = engine.engine.script(name);
        script.push(program);
        script.finish();
        let (mut values, mut diagnostics) = (Vec::new(), Vec::new());
        while let Some(item) = script.run_next() {
            values.extend(item.value);
            diagnostics.extend(item.diagnostics);
        }
        let failed = diagnostics.iter().any(Diagnostic::is_error);
        let result = match failed {
            true if error.is_null() => Err(kls_error::new(kls_status::KLS_PROGRAM, "")),
            true => Err(kls_error::of_program(diagnostics.clone(), script.source())),
            false => Ok(()),
        };
        // SAFETY: the host's promise.
        if let Ok(place) = unsafe { Place::new(outcome, "outcome") } {
            place.give(kls_outcome { values, diagnostics: Diagnostics::new(diagnostics, script.source()) });
        }
        result
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Defines the operators that programs usually want and the language does not have: comparisons, `!`, `|`, `&` and the like.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_prelude(
    engine: *const kls_engine,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        let outcome = engine.engine.prelude();
        if outcome.diagnostics().any(Diagnostic::is_error) {
            let diagnostics = outcome.diagnostics().cloned().collect();
            return Err(kls_error::of_program(diagnostics, outcome.source));
        }
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Takes a function from the program: calls of it fail until the name is defined again.
///
/// KLS_UNKNOWN_FUNCTION when nothing has the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_remove(
    engine: *const kls_engine,
    name: *const c_char,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        // SAFETY: the host's promise.
        let name = unsafe { text(name, "name") }?;
        Ok(engine.engine.remove(name)?)
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Stops every evaluation of the engine that runs now, by whatever thread: it ends with KLS_INTERRUPTED, or with a diagnostic
/// that says so. What begins later is not affected.
///
/// To be called by another thread; not by a signal handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_interrupt(engine: *const kls_engine) {
    // SAFETY: the host's promise.
    if let Ok(engine) = unsafe { borrowed(engine, "engine") } {
        ask((), || engine.engine.interrupter().interrupt());
    }
}
