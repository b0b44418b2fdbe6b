//! Statistics: an observer that counts events.

use crate::event::{CodeName, Event, MappedRows, Observer, Tier};
use kaleidoscope_ir::compile::CompileTimes;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts events. Pass a clone to [`crate::Builder::observer`]; clones share the numbers.
#[derive(Clone, Debug)]
pub struct Statistics {
    counters: Arc<Mutex<Counters>>,
    start: Instant,
}

#[derive(Debug, Default)]
struct Counters {
    /// All but the times that [`Statistics::totals`] computes.
    totals: Totals,
    /// Time of evaluations, with the compilations during that time.
    evaluated: Duration,
    /// Time of compilations during evaluations.
    compiled_meanwhile: Duration,
}

/// The numbers.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Names of the defined functions, each once.
    pub defined: BTreeSet<Arc<str>>,
    /// Functions that were called, noted at the first call of each version.
    pub called: BTreeSet<Arc<str>>,
    /// Functions that were compiled, by any tier.
    pub compiled_functions: BTreeSet<Arc<str>>,
    /// Functions with baseline code.
    pub baseline: BTreeSet<Arc<str>>,
    /// Functions with optimized code after a tier-up.
    pub optimized: BTreeSet<Arc<str>>,
    /// Invalidations of optimized code by redefinitions.
    pub n_invalidated: u64,
    /// Times that a thread left invalidated code while it was running.
    pub n_deoptimized: u64,
    /// Functions for which the optimizing compiler generated IR.
    pub ir_functions: BTreeSet<Arc<str>>,
    /// Functions whose compilation failed.
    pub failed: BTreeSet<Arc<str>>,
    /// Top-level expressions that were run.
    pub n_expressions: u64,
    /// Batches.
    pub n_batches: u64,
    /// The rows of batches, by the way in which they were computed.
    pub rows: MappedRows,
    /// Bytes of machine code compiled, expressions included.
    pub code_bytes: u64,
    /// Bytes of IR defined.
    pub ir_bytes: u64,
    /// Time spent in the front end.
    pub parse: Duration,
    /// Time spent starting code generators.
    pub generator_start: Duration,
    /// Time spent compiling, by stage.
    pub compile: CompileTimes,
    /// Time spent running expressions and batches, without the compilations during that time.
    pub run: Duration,
    /// Time since the statistics were created.
    pub total: Duration,
    /// All compilations, in order.
    pub compiled: Vec<Compiled>,
}

/// One compilation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Compiled {
    /// The function or expression.
    pub code: CodeName,
    /// The tier.
    pub tier: Tier,
    /// Time by stage.
    pub times: CompileTimes,
    /// Bytes of machine code.
    pub bytes: usize,
    /// For OSR code: the number of the loop.
    pub osr_loop: Option<usize>,
    /// The names of the functions inlined into it.
    pub inlined: Arc<[Arc<str>]>,
}

impl Default for Statistics {
    fn default() -> Self {
        Self { counters: Arc::default(), start: Instant::now() }
    }
}

impl Statistics {
    /// Zero counts. The clock starts.
    pub fn new() -> Self {
        Self::default()
    }

    /// The numbers so far.
    pub fn totals(&self) -> Totals {
        let counters = self.lock();
        let run = counters.evaluated.saturating_sub(counters.compiled_meanwhile);
        Totals { total: self.start.elapsed(), run, ..counters.totals.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Statistics {
    fn observe(&self, event: &Event) {
        let mut counters = self.lock();
        let Counters { totals, evaluated, compiled_meanwhile } = &mut *counters;
        match event {
            Event::Read { took } => totals.parse += *took,
            Event::Defined { code, ir_bytes } => {
                if !code.is_expression() {
                    totals.defined.insert(code.name.clone());
                }
                totals.ir_bytes += *ir_bytes as u64;
            }
            Event::FirstCalled { code } => {
                if !code.is_expression() {
                    totals.called.insert(code.name.clone());
                }
            }
            Event::GeneratorStarted { took } => totals.generator_start += *took,
            Event::IrGenerated { code, .. } => {
                if !code.is_expression() {
                    totals.ir_functions.insert(code.name.clone());
                }
            }
            Event::Compiled { code, tier, osr_loop, inlined, times, bytes } => {
                if !code.is_expression() {
                    totals.compiled_functions.insert(code.name.clone());
                    match tier {
                        Tier::Baseline => totals.baseline.insert(code.name.clone()),
                        Tier::Optimized => totals.optimized.insert(code.name.clone()),
                        Tier::Lazy | Tier::Eager | Tier::Kernel => false,
                    };
                }
                totals.code_bytes += *bytes as u64;
                totals.compile += *times;
                // An expression is compiled before it runs, and hot code in the background.
                if !code.is_expression() && matches!(tier, Tier::Lazy | Tier::Baseline) {
                    *compiled_meanwhile += times.total();
                }
                totals.compiled.push(Compiled {
                    code: code.clone(),
                    tier: *tier,
                    times: *times,
                    bytes: *bytes,
                    osr_loop: *osr_loop,
                    inlined: Arc::clone(inlined),
                });
            }
            Event::CompileFailed { code, .. } => {
                if !code.is_expression() {
                    totals.failed.insert(code.name.clone());
                }
            }
            Event::Evaluated { took, .. } => {
                totals.n_expressions += 1;
                *evaluated += *took;
            }
            Event::Mapped { rows, took, .. } => {
                totals.n_batches += 1;
                totals.rows.by_kernel += rows.by_kernel;
                totals.rows.by_columns += rows.by_columns;
                totals.rows.by_calls += rows.by_calls;
                *evaluated += *took;
            }
            Event::Invalidated { .. } => totals.n_invalidated += 1,
            Event::Deoptimized { .. } => totals.n_deoptimized += 1,
            Event::Reclaimed { .. } | Event::Hot { .. } => {}
        }
    }
}
