//! Counts of events, and the last events, as dictionaries.
//!
//! Compile threads emit events, too. So nothing here calls Python: Python asks.

use kaleidoscope::{CodeName, Event, MappedRows, Observer};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Events that are kept until Python asks. Older ones are dropped and counted.
const MOST_EVENTS: usize = 100_000;

/// Counts events, and keeps them if asked to. Clones share all.
#[derive(Clone, Debug)]
pub(crate) struct Recorder(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    counts: Counts,
    /// `None` if only counts are kept.
    events: Option<VecDeque<Event>>,
    n_dropped: u64,
}

/// Numbers only: names would grow with each formula.
#[derive(Clone, Debug, Default)]
struct Counts {
    defined: u64,
    called: u64,
    compiled_baseline: u64,
    compiled_optimized: u64,
    compiled_kernels: u64,
    hot: u64,
    invalidated: u64,
    deoptimized: u64,
    reclaimed: u64,
    failed: u64,
    expressions: u64,
    batches: u64,
    rows: MappedRows,
    code_bytes: u64,
    read: Duration,
    compiled: Duration,
}

impl Recorder {
    pub(crate) fn new(keeps_events: bool) -> Self {
        let events = keeps_events.then(VecDeque::new);
        Self(Arc::new(Mutex::new(Record { events, ..Record::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts as a dictionary.
    pub(crate) fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = self.lock().counts.clone();
        let all = PyDict::new(py);
        all.set_item("defined", counts.defined)?;
        all.set_item("called", counts.called)?;
        all.set_item("compiled_baseline", counts.compiled_baseline)?;
        all.set_item("compiled_optimized", counts.compiled_optimized)?;
        all.set_item("compiled_kernels", counts.compiled_kernels)?;
        all.set_item("hot", counts.hot)?;
        all.set_item("invalidated", counts.invalidated)?;
        all.set_item("deoptimized", counts.deoptimized)?;
        all.set_item("reclaimed", counts.reclaimed)?;
        all.set_item("failed", counts.failed)?;
        all.set_item("expressions", counts.expressions)?;
        all.set_item("batches", counts.batches)?;
        all.set_item("rows_by_kernel", counts.rows.by_kernel)?;
        all.set_item("rows_by_columns", counts.rows.by_columns)?;
        all.set_item("rows_by_calls", counts.rows.by_calls)?;
        all.set_item("code_bytes", counts.code_bytes)?;
        all.set_item("read_seconds", counts.read.as_secs_f64())?;
        all.set_item("compile_seconds", counts.compiled.as_secs_f64())?;
        Ok(all)
    }

    /// The events since the last call as dictionaries, and how many older ones were dropped. `None`
    /// if events are not kept.
    pub(crate) fn take_events<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Option<(Vec<Bound<'py, PyDict>>, u64)>> {
        let (events, n_dropped) = {
            let mut record = self.lock();
            let Some(events) = record.events.as_mut().map(std::mem::take) else { return Ok(None) };
            (events, std::mem::take(&mut record.n_dropped))
        };
        let events = events.iter().map(|event| describe(py, event)).collect::<PyResult<Vec<_>>>()?;
        Ok(Some((events, n_dropped)))
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &Event) {
        let mut record = self.lock();
        record.counts.add(event);
        let Record { events, n_dropped, .. } = &mut *record;
        if let Some(events) = events {
            if events.len() == MOST_EVENTS {
                events.pop_front();
                *n_dropped += 1;
            }
            events.push_back(event.clone());
        }
    }
}

impl Counts {
    fn add(&mut self, event: &Event) {
        match event {
            Event::Read { took } => self.read += *took,
            Event::Defined { .. } => self.defined += 1,
            Event::FirstCalled { .. } => self.called += 1,
            Event::Compiled { tier, times, bytes, .. } => {
                *match tier.name() {
                    "baseline" => &mut self.compiled_baseline,
                    "kernel" => &mut self.compiled_kernels,
                    _ => &mut self.compiled_optimized,
                } += 1;
                self.code_bytes += *bytes as u64;
                self.compiled += times.total();
            }
            Event::Hot { .. } => self.hot += 1,
            Event::Invalidated { .. } => self.invalidated += 1,
            Event::Deoptimized { .. } => self.deoptimized += 1,
            Event::Reclaimed { .. } => self.reclaimed += 1,
            Event::CompileFailed { .. } => self.failed += 1,
            Event::Evaluated { .. } => self.expressions += 1,
            Event::Mapped { rows, .. } => {
                self.batches += 1;
                self.rows.by_kernel += rows.by_kernel;
                self.rows.by_columns += rows.by_columns;
                self.rows.by_calls += rows.by_calls;
            }
            _ => {}
        }
    }
}

fn describe<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    let name = |kind: &str, code: &CodeName| {
        all.set_item("event", kind)?;
        all.set_item("function", &*code.name)?;
        all.set_item("version", code.version)
    };
    let seconds = |took: &Duration| all.set_item("seconds", took.as_secs_f64());
    match event {
        Event::Read { took } => {
            all.set_item("event", "read")?;
            seconds(took)?;
        }
        Event::Defined { code, ir_bytes } => {
            name("defined", code)?;
            all.set_item("ir_bytes", ir_bytes)?;
        }
        Event::FirstCalled { code } => name("first_called", code)?,
        Event::GeneratorStarted { took } => {
            all.set_item("event", "generator_started")?;
            seconds(took)?;
        }
        Event::IrGenerated { code, took } => {
            name("ir_generated", code)?;
            seconds(took)?;
        }
        Event::Compiled { code, tier, osr_loop, inlined, times, bytes } => {
            name("compiled", code)?;
            all.set_item("tier", tier.name())?;
            all.set_item("osr_loop", osr_loop)?;
            all.set_item("inlined", inlined.iter().map(|name| &**name).collect::<Vec<_>>())?;
            all.set_item("seconds", times.total().as_secs_f64())?;
            all.set_item("bytes", bytes)?;
        }
        Event::Hot { code, osr_loop } => {
            name("hot", code)?;
            all.set_item("osr_loop", osr_loop)?;
        }
        Event::Invalidated { code, osr_loop } => {
            name("invalidated", code)?;
            all.set_item("osr_loop", osr_loop)?;
        }
        Event::Deoptimized { code, osr_loop, redefined, .. } => {
            name("deoptimized", code)?;
            all.set_item("osr_loop", osr_loop)?;
            all.set_item("redefined", &**redefined)?;
        }
        Event::Reclaimed { code, tier, bytes } => {
            name("reclaimed", code)?;
            all.set_item("tier", tier.name())?;
            all.set_item("bytes", bytes)?;
        }
        Event::CompileFailed { code, reason } => {
            name("compile_failed", code)?;
            all.set_item("reason", reason)?;
        }
        Event::Evaluated { code, took } => {
            name("evaluated", code)?;
            seconds(took)?;
        }
        Event::Mapped { code, rows, took } => {
            name("mapped", code)?;
            all.set_item("rows_by_kernel", rows.by_kernel)?;
            all.set_item("rows_by_columns", rows.by_columns)?;
            all.set_item("rows_by_calls", rows.by_calls)?;
            seconds(took)?;
        }
        _ => all.set_item("event", "other")?,
    }
    Ok(all)
}
