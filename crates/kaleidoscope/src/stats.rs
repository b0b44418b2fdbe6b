//! What an engine did, in numbers: an observer that counts.

use crate::event::{BodyName, Event, Observer, Tier};
use kaleidoscope_ir::compile::CompileTimes;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts events. Give a clone of it to [`crate::Builder::observer`]; clones share the numbers.
///
/// ```
/// use kaleidoscope::{Engine, Statistics};
///
/// let statistics = Statistics::new();
/// let engine = Engine::builder().observer(statistics.clone()).build()?;
/// engine.run("def f(x) x; def g(x) x; f(1);");
/// let totals = statistics.totals();
/// assert_eq!((totals.defined.len(), totals.called.len(), totals.n_expressions), (2, 1, 1));
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Statistics {
    counters: Arc<Mutex<Counters>>,
    start: Instant,
}

#[derive(Debug, Default)]
struct Counters {
    /// Complete but for the times that are worked out when asked for.
    totals: Totals,
    /// Time of evaluations, with the compiling that happened meanwhile.
    evaluated: Duration,
    /// Time of compiling during evaluations.
    compiled_meanwhile: Duration,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Names that a `def` gave.
    pub defined: BTreeSet<Arc<str>>,
    /// Functions that were called, each at its first call (a function defined again counts anew).
    pub called: BTreeSet<Arc<str>>,
    /// Functions that were compiled, at whatever tier.
    pub compiled_functions: BTreeSet<Arc<str>>,
    /// Functions for which quick code was made.
    pub baseline: BTreeSet<Arc<str>>,
    /// Functions for which better code was made because they were hot.
    pub optimized: BTreeSet<Arc<str>>,
    /// How often better code was given up because of a definition.
    pub n_invalidated: u64,
    /// Functions for which LLVM IR was made.
    pub ir_functions: BTreeSet<Arc<str>>,
    /// Functions for which no code could be made.
    pub failed: BTreeSet<Arc<str>>,
    /// Top-level expressions that were run.
    pub n_expressions: u64,
    /// Bytes of machine code made, expressions included.
    pub code_bytes: u64,
    /// Bytes of resolved form made.
    pub resolved_bytes: u64,
    /// Time spent reading text.
    pub parse: Duration,
    /// Time spent starting the code generator.
    pub generator_start: Duration,
    /// Time spent making code, by stage.
    pub compile: CompileTimes,
    /// Time spent running expressions, without the compiling that happened meanwhile.
    pub run: Duration,
    /// Time since the statistics were made.
    pub total: Duration,
    /// Every body that was compiled, in order.
    pub compiled: Vec<Compiled>,
}

/// One body that was compiled.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Compiled {
    /// The function or expression.
    pub body: BodyName,
    /// Which kind of code.
    pub tier: Tier,
    /// How long the stages took.
    pub times: CompileTimes,
    /// Bytes of machine code.
    pub bytes: usize,
    /// The loop whose rest it is, if it is not the whole.
    pub of_loop: Option<usize>,
    /// The functions whose bodies are part of it.
    pub inlined: Arc<[Arc<str>]>,
}

impl Default for Statistics {
    fn default() -> Self {
        Self { counters: Arc::default(), start: Instant::now() }
    }
}

impl Statistics {
    /// Nothing counted yet; the clock starts.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was counted so far.
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
            Event::Defined { body, resolved_bytes } => {
                if !body.is_expression() {
                    totals.defined.insert(body.name.clone());
                }
                totals.resolved_bytes += *resolved_bytes as u64;
            }
            Event::FirstCalled { body } => {
                if !body.is_expression() {
                    totals.called.insert(body.name.clone());
                }
            }
            Event::GeneratorStarted { took } => totals.generator_start += *took,
            Event::IrMade { body, .. } => {
                if !body.is_expression() {
                    totals.ir_functions.insert(body.name.clone());
                }
            }
            Event::Compiled { body, tier, of_loop, inlined, times, bytes } => {
                if !body.is_expression() {
                    totals.compiled_functions.insert(body.name.clone());
                    match tier {
                        Tier::Baseline => totals.baseline.insert(body.name.clone()),
                        Tier::Optimized => totals.optimized.insert(body.name.clone()),
                        Tier::Lazy | Tier::Eager | Tier::Rows => false,
                    };
                }
                totals.code_bytes += *bytes as u64;
                totals.compile += *times;
                // An expression is compiled before it runs, and hot code while something else runs.
                if !body.is_expression() && matches!(tier, Tier::Lazy | Tier::Baseline) {
                    *compiled_meanwhile += times.total();
                }
                totals.compiled.push(Compiled {
                    body: body.clone(),
                    tier: *tier,
                    times: *times,
                    bytes: *bytes,
                    of_loop: *of_loop,
                    inlined: Arc::clone(inlined),
                });
            }
            Event::Failed { body, .. } => {
                if !body.is_expression() {
                    totals.failed.insert(body.name.clone());
                }
            }
            Event::Evaluated { took, .. } => {
                totals.n_expressions += 1;
                *evaluated += *took;
            }
            Event::Invalidated { .. } => totals.n_invalidated += 1,
            Event::Freed { .. } | Event::Hot { .. } => {}
        }
    }
}
