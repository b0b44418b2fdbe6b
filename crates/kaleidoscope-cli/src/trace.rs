//! `--trace`: writes all events in Chrome's trace event format, which Perfetto opens too.
//!
//! "Trace Event Format" by the Chromium project describes the format: a JSON array of objects. This
//! module writes complete events (`X`, with a duration) and instants (`i`). The file is complete
//! once `finish` has returned.

use crate::refusal::Refusal;
use kaleidoscope::{CodeName, Event, Observer};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Writes a trace. Clones write to the same file.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    path: PathBuf,
    start: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    file: BufWriter<File>,
    n_events: usize,
    failed: Option<io::Error>,
}

impl Trace {
    /// Creates the file.
    ///
    /// # Errors
    /// Why the file cannot be written.
    pub(crate) fn create(path: &Path) -> Result<Self, Refusal> {
        let file = File::create(path).map_err(|error| {
            Refusal::of_file(format!("cannot write the trace to {}: {error}", path.display()), &error)
        })?;
        let state = State { file: BufWriter::new(file), n_events: 0, failed: None };
        Ok(Self { path: path.to_owned(), start: Instant::now(), state: Arc::new(Mutex::new(state)) })
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Why the file could not be written, as a sentence.
    pub(crate) fn finish(&self) -> Result<(), String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let end = if state.n_events == 0 { "[\n]\n" } else { "\n]\n" };
        let written = match state.failed.take() {
            Some(error) => Err(error),
            None => state.file.write_all(end.as_bytes()).and_then(|()| state.file.flush()),
        };
        written.map_err(|error| format!("cannot write the trace to {}: {error}", self.path.display()))
    }

    /// An event that ended now and had this duration.
    fn complete(&self, name: &str, category: &str, took: Duration, args: &Value) {
        let start = self.start.elapsed().saturating_sub(took);
        self.write(&json!({
            "name": name, "cat": category, "ph": "X", "ts": micros(start), "dur": micros(took),
            "pid": 1, "tid": 1, "args": args,
        }));
    }

    /// An event without duration.
    fn instant(&self, name: &str, category: &str, args: &Value) {
        self.write(&json!({
            "name": name, "cat": category, "ph": "i", "s": "t", "ts": micros(self.start.elapsed()),
            "pid": 1, "tid": 1, "args": args,
        }));
    }

    fn write(&self, event: &Value) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let separator = if state.n_events == 0 { "[\n" } else { ",\n" };
        state.n_events += 1;
        if let Err(error) = write!(state.file, "{separator}{event}") {
            // `finish` reports the failure, so the program continues.
            state.failed.get_or_insert(error);
        }
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn version(code: &CodeName) -> Value {
    json!({ "version": code.version })
}

impl Observer for Trace {
    fn observe(&self, event: &Event) {
        match event {
            Event::Read { took } => self.complete("read", "read", *took, &json!({})),
            Event::Defined { code, ir_bytes } => {
                let args = json!({ "version": code.version, "ir_bytes": ir_bytes });
                self.instant(&format!("define {}", code.name), "define", &args);
            }
            Event::FirstCalled { code } => {
                self.instant(&format!("first call {}", code.name), "call", &version(code));
            }
            Event::GeneratorStarted { took } => {
                let args = json!({ "micros": micros(*took) });
                self.instant("code generator started", "compile", &args);
            }
            Event::IrGenerated { code, took } => {
                let args = json!({ "version": code.version, "micros": micros(*took) });
                self.instant(&format!("IR {}", code.name), "compile", &args);
            }
            Event::Compiled { code, tier, osr_loop, inlined, times, bytes } => {
                let inlined: Vec<&str> = inlined.iter().map(|name| &**name).collect();
                let args = json!({
                    "version": code.version, "tier": tier.name(), "bytes": bytes,
                    "loop": osr_loop, "inlined": inlined, "micros": {
                        "baseline": micros(times.baseline), "ir": micros(times.ir), "optimize": micros(times.optimize),
                        "codegen": micros(times.codegen), "link": micros(times.link),
                    },
                });
                self.complete(&format!("compile {}", code.name), "compile", times.total(), &args);
            }
            Event::Hot { code, osr_loop } => {
                let args = json!({ "version": code.version, "loop": osr_loop });
                self.instant(&format!("hot {}", code.name), "tier", &args);
            }
            Event::Invalidated { code, osr_loop } => {
                let args = json!({ "version": code.version, "loop": osr_loop });
                self.instant(&format!("invalidate {}", code.name), "tier", &args);
            }
            Event::Deoptimized { code, osr_loop, inside, redefined } => {
                let inside: Vec<&str> = inside.iter().map(|name| &**name).collect();
                let args = json!({
                    "version": code.version, "loop": osr_loop, "inside": inside, "redefined": **redefined,
                });
                self.instant(&format!("deoptimize {}", code.name), "tier", &args);
            }
            Event::Reclaimed { code, tier, bytes } => {
                let args = json!({ "version": code.version, "tier": tier.name(), "bytes": bytes });
                self.instant(&format!("free {}", code.name), "free", &args);
            }
            Event::CompileFailed { code, reason } => {
                let args = json!({ "version": code.version, "reason": reason });
                self.instant(&format!("fail {}", code.name), "compile", &args);
            }
            Event::Evaluated { code, took } => {
                self.complete(&format!("run {}", code.name), "run", *took, &json!({}));
            }
            // Unknown kinds of events have the name that `Debug` prints.
            other => self.instant(&format!("{other:?}"), "other", &json!({})),
        }
    }
}
