//! Tier-up in several threads: every function of a random program tiers up while threads call it
//! and another thread redefines functions.
//!
//! The program runs item by item, and its expressions become functions without parameters. Several
//! threads call these functions repeatedly until everything they call is optimized. Another thread
//! redefines functions with the same text and waits for their tier-ups each time. A redefinition
//! invalidates the optimized code that inlined the function and changes no result: each call must
//! give what the interpreter gives. The threads' output is mixed and not checked here;
//! [`crate::compare`] checks output.

use std::collections::{HashMap, HashSet};
use std::ops::AddAssign;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use kaleidoscope::lang::number;
use kaleidoscope::{
    CodeName, Engine, Event, Function, Mode, Observer, Optimization, OutputBuffer, Thresholds, Tier,
};

use crate::generate::Program;
use crate::run::add_prelude;

/// Number of threads that call expressions.
const N_CALLERS: usize = 2;

/// Fewest and most rounds of calls, over all threads, to wait for tier-ups. Some code never tiers
/// up because it is too large.
const MIN_ROUNDS: usize = 4 * N_CALLERS;
const MAX_ROUNDS: usize = 20_000;

/// Number of functions to redefine.
const N_REDEFINED: usize = 2;

/// Tier-up thresholds so low that everything called is hot.
const THRESHOLDS: Thresholds = Thresholds { calls: 0, back_edges: 0, delay: Duration::ZERO };

/// Numbers of tier-ups and invalidations.
#[derive(Clone, Copy, Debug, Default)]
pub struct TierUps {
    /// Functions that became hot.
    pub n_hot: usize,
    /// Hot functions that were optimized before the first redefinition.
    pub n_optimized: usize,
    /// Invalidations of optimized code after that.
    pub n_invalidated: usize,
}

impl AddAssign for TierUps {
    fn add_assign(&mut self, more: Self) {
        self.n_hot += more.n_hot;
        self.n_optimized += more.n_optimized;
        self.n_invalidated += more.n_invalidated;
    }
}

/// Runs the program in the interpreter, and in tiered mode with several threads.
///
/// # Errors
///
/// Returns the first difference, and the program.
pub fn check_tier_up(program: &Program) -> Result<TierUps, String> {
    let expected = Prepared::new(Mode::Off, program);
    let result = Prepared::new(Mode::Tiered, program).check(&expected);
    result.map_err(|difference| {
        format!("during tier-up: {difference}\n── the program ──\n{}\n", program.text())
    })
}

/// Effects of an item or a call: the codes of its diagnostics, and its printed value.
type Effects = Vec<String>;

/// A function without parameters.
type Expression = Function<()>;

/// An engine that has run the program, and then once more the last definition of each name. Running
/// these definitions again, in this order, changes no result.
struct Prepared<'a> {
    engine: Engine,
    progress: Arc<Progress>,
    /// The effects of everything run so far.
    effects: Vec<Effects>,
    definitions: Vec<&'a str>,
    /// The program's expressions as functions.
    expressions: Vec<Expression>,
}

impl<'a> Prepared<'a> {
    fn new(mode: Mode, program: &'a Program) -> Self {
        let progress = Arc::new(Progress::default());
        let builder = Engine::builder().mode(mode).optimization(Optimization::Aggressive);
        let builder = builder.thresholds(THRESHOLDS).output(OutputBuffer::default());
        let engine = builder.observer(Arc::clone(&progress)).build();
        let engine = engine.expect("the machine of a test has memory for an engine");
        add_prelude(&engine, &program.text());
        progress.lock().defined.clear();
        let mut prepared =
            Self { engine, progress, effects: Vec::new(), definitions: Vec::new(), expressions: Vec::new() };
        let mut last = HashMap::new();
        let mut expressions = Vec::new();
        for (idx, item) in program.items.iter().enumerate() {
            let (effects, is_value) = prepared.run(item);
            prepared.effects.push(effects);
            let defined = std::mem::take(&mut prepared.progress.lock().defined);
            if is_value && defined.is_empty() {
                expressions.push(item);
            }
            last.extend(defined.into_iter().map(|name| (name, idx)));
        }
        let mut last: Vec<usize> = last.into_values().collect();
        last.sort_unstable();
        for item in last.into_iter().map(|idx| program.items[idx].as_str()) {
            let (effects, _) = prepared.run(item);
            // The definition can be invalid by now: names that it uses may have changed.
            if effects.is_empty() {
                prepared.definitions.push(item);
            }
            prepared.effects.push(effects);
        }
        for (idx, item) in expressions.into_iter().enumerate() {
            let name = format!("expression{idx}");
            let (effects, _) = prepared.run(&format!("def {name}() {item}"));
            prepared.effects.push(effects);
            prepared.expressions.extend(prepared.engine.function(&name));
        }
        prepared
    }

    /// Runs an item. Returns its effects and whether it gave a value.
    fn run(&self, item: &str) -> (Effects, bool) {
        let outcome = self.engine.run(item);
        let mut effects: Effects = outcome.diagnostics().map(|found| found.code.to_string()).collect();
        effects.extend(outcome.values().map(number::format));
        (effects, outcome.values().next().is_some())
    }

    fn call(expression: &Expression) -> Effects {
        match expression.call(()) {
            Ok(value) => vec![number::format(value)],
            Err(error) => vec![error.code().to_string()],
        }
    }

    fn check(&self, expected: &Prepared<'_>) -> Result<TierUps, String> {
        if self.effects != expected.effects {
            return Err(format!("expected {:?}\n  got      {:?}", expected.effects, self.effects));
        }
        let expected: Vec<Effects> = expected.expressions.iter().map(Self::call).collect();
        thread::scope(|scope| {
            let call = || {
                let _stop = StopOnDrop(&self.progress);
                self.call_until_stopped(&expected)
            };
            let callers = [(); N_CALLERS].map(|()| scope.spawn(call));
            let tier_ups = {
                let _stop = StopOnDrop(&self.progress);
                self.redefine()
            };
            for caller in callers {
                caller.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            }
            tier_ups
        })
    }

    /// Calls all expressions in rounds until the check stops.
    fn call_until_stopped(&self, expected: &[Effects]) -> Result<(), String> {
        while !self.progress.lock().is_stopped {
            for (idx, (expression, expected)) in self.expressions.iter().zip(expected).enumerate() {
                let effects = Self::call(expression);
                if effects != *expected {
                    return Err(format!("expression {idx}\n  expected {expected:?}\n  got      {effects:?}"));
                }
            }
            self.progress.change(|counts| counts.n_rounds += 1);
            thread::yield_now();
        }
        Ok(())
    }

    /// Redefines functions. Waits for tier-ups before the first redefinition and after each.
    fn redefine(&self) -> Result<TierUps, String> {
        self.await_tier_ups();
        let TierUps { n_hot, n_optimized, .. } = self.progress.lock().tier_ups();
        for item in self.definitions.iter().take(N_REDEFINED) {
            let (effects, _) = self.run(item);
            if !effects.is_empty() {
                return Err(format!("{item} now gives {effects:?}"));
            }
            self.await_tier_ups();
        }
        Ok(TierUps { n_hot, n_optimized, ..self.progress.lock().tier_ups() })
    }

    /// Waits until the threads have called everything and all hot functions are optimized.
    fn await_tier_ups(&self) {
        let counts = self.progress.lock();
        let n_before = counts.n_rounds;
        let must_wait = |counts: &mut Counts| {
            let n_rounds = counts.n_rounds - n_before;
            let is_done = n_rounds >= MIN_ROUNDS && (n_rounds >= MAX_ROUNDS || counts.is_settled());
            !is_done && !counts.is_stopped
        };
        drop(self.progress.changed.wait_while(counts, must_wait));
    }
}

/// Stops all threads when dropped, also in a panic.
struct StopOnDrop<'a>(&'a Progress);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.change(|counts| counts.is_stopped = true);
    }
}

/// Observer of an engine, with the progress of the threads.
#[derive(Default)]
struct Progress {
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Default)]
struct Counts {
    /// Defined names, one entry for each definition.
    defined: Vec<Arc<str>>,
    hot: HashSet<CodeName>,
    optimized: HashSet<CodeName>,
    n_invalidated: usize,
    /// Finished rounds of calls of all threads.
    n_rounds: usize,
    /// Whether the check is finished or one of the threads failed.
    is_stopped: bool,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

impl Counts {
    fn is_settled(&self) -> bool {
        self.hot.is_subset(&self.optimized)
    }

    fn tier_ups(&self) -> TierUps {
        let n_optimized = self.hot.intersection(&self.optimized).count();
        TierUps { n_hot: self.hot.len(), n_optimized, n_invalidated: self.n_invalidated }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Defined { code, .. } => {
                self.defined.push(Arc::clone(&code.name));
                // Forget the previous version.
                self.hot.retain(|hot| hot.name != code.name);
                self.optimized.retain(|optimized| optimized.name != code.name);
            }
            Event::Hot { code, osr_loop: None } if !code.is_expression() => {
                self.hot.insert(code.clone());
            }
            Event::Compiled { code, tier: Tier::Optimized, osr_loop: None, .. } => {
                self.optimized.insert(code.clone());
            }
            Event::CompileFailed { code, .. } => {
                self.hot.remove(code);
            }
            Event::Invalidated { code, .. } => {
                self.optimized.remove(code);
                self.hot.remove(code);
                self.n_invalidated += 1;
            }
            _ => {}
        }
    }
}

impl Observer for Progress {
    fn observe(&self, event: &Event) {
        self.change(|counts| counts.note(event));
    }
}
