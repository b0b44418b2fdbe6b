//! Redefinitions in the middle of runs: programs that are changed while their optimized code runs.
//!
//! A [`ChangingProgram`] calls the host function `change()`, whose calls run definitions. Each
//! expression is called without changes until everything that it calls is optimized. Then it is
//! called with the changes. All modes must give what the interpreter gives, which asks at each call
//! what the function is.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use kaleidoscope::lang::number;
use kaleidoscope::{
    CodeName, Engine, Event, Function, Mode, Observer, Optimization, OutputBuffer, Thresholds,
};

use crate::compare::reduce;
use crate::generate::{ChangingProgram, Part};

/// Fewest and most calls of an expression before the call with the changes. Some code never tiers
/// up because it is too large.
const MIN_CALLS: usize = 3;
const MAX_CALLS: usize = 300;

/// The modes to test. Tiered mode twice: with code that is hot at once, and with loops that the
/// interpreter runs for a while after a deoptimization.
const TESTED: &[(Mode, u32)] =
    &[(Mode::Tiered, 0), (Mode::Tiered, 40), (Mode::Lazy, 0), (Mode::Eager, 0), (Mode::Baseline, 0)];

/// Runs the changing program of a seed in every mode. Returns how often code was left while it ran.
///
/// # Errors
///
/// Returns the program, the difference, and the command that repeats the check.
pub fn check_changing_seed(seed: u64) -> Result<usize, String> {
    let program = ChangingProgram::new(seed);
    compare(&program.parts).map_err(|difference| {
        let parts = reduce(&program.parts, |parts| compare(parts).is_err());
        let difference = compare(&parts).err().unwrap_or(difference);
        let (text, whole) = (ChangingProgram { parts }.text(), program.text());
        format!(
            "changed while it runs: {difference}\n── the program, reduced ──\n{text}\n── all of it ──\n{whole}\n\
            ── again: cargo xtask random --programs 1 --seed {seed} ──"
        )
    })
}

/// Runs the parts in every mode. Returns how often code was left, or the first difference.
fn compare(parts: &[Part]) -> Result<usize, String> {
    let expected = run(parts, Mode::Off, 0);
    let mut n_left = 0;
    for &(mode, back_edges) in TESTED {
        let got = run(parts, mode, back_edges);
        let mut pairs = expected.results.iter().zip(&got.results);
        if let Some((expected, got)) = pairs.find(|(expected, got)| expected != got) {
            return Err(format!("mode {}\n  expected {expected:?}\n  got      {got:?}", mode.name()));
        }
        n_left += got.n_left;
    }
    Ok(n_left)
}

/// The results of a run, in order.
#[derive(Debug, Default)]
struct Run {
    results: Vec<String>,
    /// How often code was left while it ran.
    n_left: usize,
}

/// An engine in which a program runs.
struct Prepared {
    engine: Engine,
    /// The handle that `change()` uses.
    of_host: Arc<Mutex<Option<Engine>>>,
    output: OutputBuffer,
    progress: Arc<Progress>,
    /// What the next calls of `change()` run, the next one last.
    changes: Arc<Mutex<Vec<String>>>,
}

fn run(parts: &[Part], mode: Mode, back_edges: u32) -> Run {
    let prepared = Prepared::new(mode, back_edges);
    let of_kind = |kind: fn(&Part) -> Option<&String>| parts.iter().filter_map(kind).collect::<Vec<_>>();
    let definitions = of_kind(|part| if let Part::Definition(text) = part { Some(text) } else { None });
    let expressions = of_kind(|part| if let Part::Expression(text) = part { Some(text) } else { None });
    let changes = of_kind(|part| if let Part::Change(text) = part { Some(text) } else { None });
    let mut run = Run::default();
    for (nth, expression) in expressions.iter().enumerate() {
        let name = format!("expression{nth}");
        let texts =
            definitions.iter().map(ToString::to_string).chain([format!("def {name}() {expression};")]);
        for text in texts {
            run.results.push(prepared.define(&text));
        }
        let Ok(function) = prepared.engine.function::<()>(&name) else { continue };
        run.results.push(prepared.tier_up(&function));
        *prepared.changes() = changes.iter().rev().map(ToString::to_string).collect();
        let changed = prepared.call(&function);
        run.results.push(format!("with the changes: {expression}: {changed}"));
        prepared.changes().clear();
        run.results.push(format!("after the changes: {}", prepared.call(&function)));
    }
    run.n_left = prepared.progress.lock().n_left;
    run
}

impl Prepared {
    fn new(mode: Mode, back_edges: u32) -> Self {
        let (output, progress) = (OutputBuffer::default(), Arc::new(Progress::default()));
        let changes: Arc<Mutex<Vec<String>>> = Arc::default();
        let of_host: Arc<Mutex<Option<Engine>>> = Arc::default();
        let change = {
            let (of_host, changes) = (Arc::clone(&of_host), Arc::clone(&changes));
            move || {
                let text = changes.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
                let engine = of_host.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(engine) = engine.filter(|_| !text.is_empty()) {
                    drop(engine.run(&text));
                }
                0.0
            }
        };
        let thresholds = Thresholds { calls: 0, back_edges, delay: Duration::ZERO };
        let builder = Engine::builder().mode(mode).optimization(Optimization::Aggressive);
        let builder = builder.thresholds(thresholds).output(output.clone()).observer(Arc::clone(&progress));
        let engine = builder.register("change", change).build();
        let engine = engine.expect("the machine of a test has memory for an engine");
        *of_host.lock().unwrap_or_else(PoisonError::into_inner) = Some(engine.clone());
        Self { engine, of_host, output, progress, changes }
    }

    fn changes(&self) -> MutexGuard<'_, Vec<String>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a definition. Returns the codes of its diagnostics.
    fn define(&self, text: &str) -> String {
        let outcome = self.engine.run(text);
        let codes = outcome.diagnostics().map(|found| found.code.to_string());
        format!("{text}: {}", codes.collect::<Vec<_>>().join(" "))
    }

    /// The value or error of a call, and its output.
    fn call(&self, function: &Function<()>) -> String {
        let result = match function.call(()) {
            Ok(value) => number::format(value),
            Err(error) => error.code().to_string(),
        };
        format!("{result} {:?}", self.output.take())
    }

    /// Calls a function until everything hot is optimized. Returns the result.
    fn tier_up(&self, function: &Function<()>) -> String {
        let expected = self.call(function);
        let is_tiered = self.engine.mode() == Mode::Tiered;
        for nth in 0..if is_tiered { MAX_CALLS } else { 1 } {
            if nth >= MIN_CALLS && self.progress.lock().hot.is_empty() {
                break;
            }
            let result = self.call(function);
            if result != expected {
                return format!("call {nth} without changes: {result} instead of {expected}");
            }
            thread::yield_now();
        }
        expected
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // An engine whose host function owns a handle of it lives forever.
        *self.of_host.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Observer: what is being optimized, and how often code was left.
#[derive(Default)]
struct Progress(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// What is hot and not optimized yet.
    hot: HashSet<(CodeName, Option<usize>)>,
    n_left: usize,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Progress {
    fn observe(&self, event: &Event) {
        let mut counts = self.lock();
        match event {
            Event::Hot { code, osr_loop } => {
                counts.hot.insert((code.clone(), *osr_loop));
            }
            Event::Compiled { code, osr_loop, .. } => {
                counts.hot.remove(&(code.clone(), *osr_loop));
            }
            Event::Invalidated { code, .. } | Event::CompileFailed { code, .. } => {
                counts.hot.retain(|(hot, _)| hot != code);
            }
            Event::Defined { code, .. } => counts.hot.retain(|(hot, _)| hot.name != code.name),
            Event::Deoptimized { .. } => counts.n_left += 1,
            _ => {}
        }
    }
}
