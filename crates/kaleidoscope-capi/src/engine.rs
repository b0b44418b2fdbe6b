//! The C functions of engines.

use std::ffi::c_char;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kaleidoscope::{Diagnostic, DiagnosticCode, Engine, Script, Source};

use crate::diagnostics::Diagnostics;
use crate::entry::{OutPointer, ask, borrowed, entry, free, text};
use crate::error::kls_error;
use crate::host_data::HostData;
use crate::host_failure::Failures;
use crate::options::kls_options;
use crate::outcome::kls_outcome;
use crate::status::kls_status;

/// An engine: runs programs, and keeps their definitions. Freed by kls_engine_free.
///
/// Several threads may use it at once.
#[derive(Debug)]
pub struct kls_engine {
    pub(crate) engine: Engine,
    /// The engine's number, the same for all its handles.
    pub(crate) number: u64,
}

impl kls_engine {
    fn new(engine: Engine) -> Self {
        static N_ENGINES: AtomicU64 = AtomicU64::new(0);
        Self { engine, number: N_ENGINES.fetch_add(1, Ordering::Relaxed) }
    }
}

/// The version of this library, for example "0.1.0". The text is valid forever.
#[unsafe(no_mangle)]
pub extern "C" fn kls_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Creates an engine with these options; with default options if `options` is `NULL`.
///
/// The engine owns `options->output_data` and `options->observer_data` from here on, also if this
/// function fails. It copies the other options.
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
        let observer_data = HostData::new(options.observer_data, options.observer_destroy);
        verdict?;
        // SAFETY: the host's promise.
        let place = unsafe { OutPointer::new(engine, "engine") }?;
        // SAFETY: the host's promise.
        let builder = unsafe { options.builder(output_data, observer_data) }?;
        place.give(kls_engine::new(builder.build()?));
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Creates another handle of the same engine, with a time limit in microseconds, compilation
/// included. The limit holds for each text run by the handle, each scope entered by it, and each
/// call of a function obtained from it. Free each handle separately.
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
        let place = unsafe { OutPointer::new(other, "other") }?;
        let limited = engine.engine.within(Duration::from_micros(microseconds));
        place.give(kls_engine { engine: limited, number: engine.number });
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Creates another engine with the definitions of this one. Later definitions affect one engine
/// only. The engines share host functions, variables and arrays.
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
        let place = unsafe { OutPointer::new(other, "other") }?;
        place.give(kls_engine::new(engine.engine.fork()?));
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Frees a handle of an engine; does nothing for `NULL`. The engine lives as long as its last
/// handle or function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_free(engine: *mut kls_engine) {
    // SAFETY: the host's promise.
    unsafe { free(engine) };
}

/// Runs all items of a text, also after errors.
///
/// Diagnostics show `name`, for example a file's name; it may be `NULL`. If `outcome` is not
/// `NULL`, it receives the values and diagnostics. KLS_PROGRAM means that at least one item failed;
/// `outcome` is set then, too, and the error describes the first failure.
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
        let (engine, name, program) = unsafe { run_arguments(engine, name, program) }?;
        let (ran, source) = Ran::of(engine, name, program);
        // SAFETY: the host's promise.
        let place = unsafe { OutPointer::new(outcome, "outcome") };
        ran.hand_over(source, place.ok(), error.is_null())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// The arguments of kls_engine_run.
///
/// # Safety
/// As for [`borrowed`] and [`text()`].
#[inline(never)]
unsafe fn run_arguments<'a>(
    engine: *const kls_engine,
    name: *const c_char,
    program: *const c_char,
) -> Result<(&'a Engine, &'a str, &'a str), kls_error> {
    // SAFETY: the caller's promise.
    let engine = unsafe { borrowed(engine, "engine") }?;
    // SAFETY: the caller's promise.
    let name = if name.is_null() { "text" } else { unsafe { text(name, "name") }? };
    // SAFETY: the caller's promise.
    let program = unsafe { text(program, "program") }?;
    Ok((&engine.engine, name, program))
}

/// What the items of a text gave. Running them is a function of its own, and so is what comes after
/// it: less of a small stack is in use while they run.
struct Ran {
    values: Vec<f64>,
    diagnostics: Vec<Diagnostic>,
    /// The data of the host function that failed, if an item failed, and that of the first.
    data: Option<Option<Arc<HostData>>>,
}

impl Ran {
    #[inline(never)]
    fn of(engine: &Engine, name: &str, program: &str) -> (Self, Source) {
        let mut script = engine.script(name);
        script.push(program);
        script.finish();
        let ran = Self::of_script(&mut script);
        (ran, script.source())
    }

    fn of_script(script: &mut Script) -> Self {
        let mut ran = Self { values: Vec::new(), diagnostics: Vec::new(), data: None };
        let failures = Failures::watch();
        while let Some(item) = script.run_next() {
            let data = failures.take();
            if ran.data.is_none() && item.is_error() {
                let host_failed = |diagnostic: &Diagnostic| diagnostic.code == DiagnosticCode::HostError;
                ran.data = Some(data.filter(|_| item.diagnostics.iter().any(host_failed)));
            }
            ran.values.extend(item.value);
            ran.diagnostics.extend(item.diagnostics);
        }
        ran
    }

    #[inline(never)]
    fn hand_over(
        self,
        source: Source,
        outcome: Option<OutPointer<*mut kls_outcome>>,
        ignores_error: bool,
    ) -> Result<(), kls_error> {
        let Self { values, diagnostics, data } = self;
        let result = match data {
            Some(_) if ignores_error => Err(kls_error::new(kls_status::KLS_PROGRAM, "")),
            Some(data) => Err(kls_error::of_program(diagnostics.clone(), source.clone()).with_data(data)),
            None => Ok(()),
        };
        if let Some(outcome) = outcome {
            outcome.give(kls_outcome { values, diagnostics: Diagnostics::new(diagnostics, source) });
        }
        result
    }
}

/// Adds the usual operators and names, which the language lacks, for programs and formulas:
/// comparisons, `%`, `&&`, `and`, `pi`, `min`, `clamp`, `while` and others. Functions that the host
/// has registered under these names stay as they are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_prelude(
    engine: *const kls_engine,
    error: *mut *mut kls_error,
) -> kls_status {
    let body = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        engine.engine.prelude().map_err(|error| {
            let outcome = error.outcome();
            kls_error::of_program(outcome.diagnostics().cloned().collect(), outcome.source.clone())
        })
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Removes a function: calls of it fail until the name is defined again.
///
/// KLS_UNKNOWN_FUNCTION if no function has the name.
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

/// Interrupts every running evaluation of the engine, on all threads: each ends with
/// KLS_INTERRUPTED, or with a diagnostic. Later evaluations are not affected.
///
/// Call it on another thread, but not in a signal handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_interrupt(engine: *const kls_engine) {
    // SAFETY: the host's promise.
    if let Ok(engine) = unsafe { borrowed(engine, "engine") } {
        ask((), || engine.engine.interrupter().interrupt());
    }
}
