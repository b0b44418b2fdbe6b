//! Random programs at their hottest: every function is promoted while threads call it, and defined anew meanwhile.
//!
//! The program is run, item by item, and its expressions become functions without parameters. Then threads call these over
//! and over, at the same time, until all that they call has been promoted; and another thread defines functions anew, as they
//! are, and awaits the promotions each time. That takes back the promoted code that carries the function, and changes
//! no result: each call must give what the evaluator gives for it. What the threads write goes together and is not looked at;
//! [`crate::compare`] looks at that.

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

/// Threads that run expressions.
const N_CALLERS: usize = 2;

/// Rounds of calls, of all threads together, in which promotions are awaited: at least, and at most. Some never come, as code
/// may be too large for it.
const MIN_ROUNDS: usize = 4 * N_CALLERS;
const MAX_ROUNDS: usize = 20_000;

/// How many of the program's functions are defined anew.
const N_REDEFINED: usize = 2;

/// So low that whatever is called is hot.
const THRESHOLDS: Thresholds = Thresholds { calls: 0, back_edges: 0, delay: Duration::ZERO };

/// How much happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promotions {
    /// Functions that became hot.
    pub n_hot: usize,
    /// Of these, those that were promoted before anything was defined anew.
    pub n_promoted: usize,
    /// How often promoted code was taken back afterwards.
    pub n_invalidated: usize,
}

impl AddAssign for Promotions {
    fn add_assign(&mut self, more: Self) {
        self.n_hot += more.n_hot;
        self.n_promoted += more.n_promoted;
        self.n_invalidated += more.n_invalidated;
    }
}

/// Runs the program in the evaluator, and in tiered mode with several threads.
///
/// # Errors
///
/// Where they differ, and the program.
pub fn check_promotion(program: &Program) -> Result<Promotions, String> {
    let expected = Seat::new(Mode::Off, program);
    let verdict = Seat::new(Mode::Tiered, program).check(&expected);
    verdict.map_err(|difference| {
        format!("under promotion: {difference}\n── the program ──\n{}\n", program.text())
    })
}

/// What came of an item or a call: the codes of its diagnostics, and its value as it is printed.
type Effects = Vec<String>;

/// A function without parameters.
type Expression = Function<()>;

/// An engine that has run the program, and then each definition again that is the last of its name. From there on it changes
/// nothing to make them again, in this order.
struct Seat<'a> {
    engine: Engine,
    seen: Arc<Seen>,
    /// What came of all that.
    effects: Vec<Effects>,
    definitions: Vec<&'a str>,
    /// The program's expressions, as functions.
    expressions: Vec<Expression>,
}

impl<'a> Seat<'a> {
    fn new(mode: Mode, program: &'a Program) -> Self {
        let seen = Arc::new(Seen::default());
        let builder = Engine::builder().mode(mode).optimization(Optimization::Aggressive);
        let builder = builder.thresholds(THRESHOLDS).output(OutputBuffer::default());
        let engine = builder.observer(Arc::clone(&seen)).build();
        let engine = engine.expect("the machine of a test has memory for an engine");
        let mut seat =
            Self { engine, seen, effects: Vec::new(), definitions: Vec::new(), expressions: Vec::new() };
        let mut last = HashMap::new();
        let mut expressions = Vec::new();
        for (idx, item) in program.items.iter().enumerate() {
            let (effects, is_value) = seat.run(item);
            seat.effects.push(effects);
            let defined = std::mem::take(&mut seat.seen.lock().defined);
            if is_value && defined.is_empty() {
                expressions.push(item);
            }
            last.extend(defined.into_iter().map(|name| (name, idx)));
        }
        let mut last: Vec<usize> = last.into_values().collect();
        last.sort_unstable();
        for item in last.into_iter().map(|idx| program.items[idx].as_str()) {
            let (effects, _) = seat.run(item);
            // What it refers to may have changed since, so that it is wrong by now.
            if effects.is_empty() {
                seat.definitions.push(item);
            }
            seat.effects.push(effects);
        }
        for (idx, item) in expressions.into_iter().enumerate() {
            let name = format!("expression{idx}");
            let (effects, _) = seat.run(&format!("def {name}() {item}"));
            seat.effects.push(effects);
            seat.expressions.extend(seat.engine.function(&name));
        }
        seat
    }

    /// Runs an item; says also whether it gave a value.
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

    fn check(&self, expected: &Seat<'_>) -> Result<Promotions, String> {
        if self.effects != expected.effects {
            return Err(format!("expected {:?}\n  got      {:?}", expected.effects, self.effects));
        }
        let expected: Vec<Effects> = expected.expressions.iter().map(Self::call).collect();
        thread::scope(|scope| {
            let call = || {
                let _over = Over(&self.seen);
                self.call_over_and_over(&expected)
            };
            let callers = [(); N_CALLERS].map(|()| scope.spawn(call));
            let promotions = {
                let _over = Over(&self.seen);
                self.define_all()
            };
            for caller in callers {
                caller.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            }
            promotions
        })
    }

    /// Calls the expressions round by round until it is over.
    fn call_over_and_over(&self, expected: &[Effects]) -> Result<(), String> {
        while !self.seen.lock().is_over {
            for (idx, (expression, expected)) in self.expressions.iter().zip(expected).enumerate() {
                let effects = Self::call(expression);
                if effects != *expected {
                    return Err(format!("expression {idx}\n  expected {expected:?}\n  got      {effects:?}"));
                }
            }
            self.seen.change(|known| known.n_rounds += 1);
            thread::yield_now();
        }
        Ok(())
    }

    /// Makes definitions again, and awaits the promotions before the first and after each.
    fn define_all(&self) -> Result<Promotions, String> {
        self.await_promotions();
        let Promotions { n_hot, n_promoted, .. } = self.seen.lock().promotions();
        for item in self.definitions.iter().take(N_REDEFINED) {
            let (effects, _) = self.run(item);
            if !effects.is_empty() {
                return Err(format!("{item} is all at once {effects:?}"));
            }
            self.await_promotions();
        }
        Ok(Promotions { n_hot, n_promoted, ..self.seen.lock().promotions() })
    }

    /// Waits until the threads have called everything, and what is hot has been promoted.
    fn await_promotions(&self) {
        let known = self.seen.lock();
        let n_before = known.n_rounds;
        let is_awaited = |known: &mut Known| {
            let n_rounds = known.n_rounds - n_before;
            let is_done = n_rounds >= MIN_ROUNDS && (n_rounds >= MAX_ROUNDS || known.is_settled());
            !is_done && !known.is_over
        };
        drop(self.seen.changed.wait_while(known, is_awaited));
    }
}

/// Says when it goes that it is over, also in a panic.
struct Over<'a>(&'a Seen);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.change(|known| known.is_over = true);
    }
}

/// What an engine tells, and how far the threads are.
#[derive(Default)]
struct Seen {
    known: Mutex<Known>,
    changed: Condvar,
}

#[derive(Default)]
struct Known {
    /// Names, as often as they are defined.
    defined: Vec<Arc<str>>,
    hot: HashSet<CodeName>,
    promoted: HashSet<CodeName>,
    n_invalidated: usize,
    /// Rounds of calls made, of all threads together.
    n_rounds: usize,
    /// All has been done, or one of the threads gives up.
    is_over: bool,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

impl Known {
    fn is_settled(&self) -> bool {
        self.hot.is_subset(&self.promoted)
    }

    fn promotions(&self) -> Promotions {
        let n_promoted = self.hot.intersection(&self.promoted).count();
        Promotions { n_hot: self.hot.len(), n_promoted, n_invalidated: self.n_invalidated }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Defined { code, .. } => {
                self.defined.push(Arc::clone(&code.name));
                // What came of the definition before counts no more.
                self.hot.retain(|hot| hot.name != code.name);
                self.promoted.retain(|promoted| promoted.name != code.name);
            }
            Event::Hot { code, osr_loop: None } if !code.is_expression() => {
                self.hot.insert(code.clone());
            }
            Event::Compiled { code, tier: Tier::Optimized, osr_loop: None, .. } => {
                self.promoted.insert(code.clone());
            }
            Event::CompileFailed { code, .. } => {
                self.hot.remove(code);
            }
            Event::Invalidated { code, .. } => {
                self.promoted.remove(code);
                self.hot.remove(code);
                self.n_invalidated += 1;
            }
            _ => {}
        }
    }
}

impl Observer for Seen {
    fn observe(&self, event: &Event) {
        self.change(|known| known.note(event));
    }
}
