//! Is a function of many statements as fast, statement by statement, as one of few?
//!
//! A loop in tiered mode has 25 to 1,600 statements. Its optimized code runs a fixed number of
//! statements. Prints the time per statement, how many times as long that is as in the line above,
//! and the time to compile the loop. Goal: no step. A statement takes no more times as long as
//! there are more statements.
//!
//! - `sequence`: assignments joined by the tutorial's `:`.
//! - `calls`: each statement also calls a function of 15 operations, more and more of them beyond
//!   the inlining budget.
//!
//! `--only NAME` runs one program, `--rounds N` changes the number of rounds.

use kaleidoscope::{Engine, Event, Mode, Observer, Tier};
use kaleidoscope_benches::arguments::{number, option};
use kaleidoscope_benches::record;
use kaleidoscope_benches::timing::thread_time;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The numbers of statements. Between 115 and 120, the inlining budget once ended for all at once.
const COUNTS: [usize; 16] = [25, 50, 70, 85, 100, 110, 115, 120, 130, 150, 200, 300, 400, 600, 1_000, 1_600];

/// Statements that each measured call runs.
const N_RUN: usize = 50_000_000;

/// A program: its name, and its statement with this number.
type Program = (&'static str, fn(usize) -> String);

const PROGRAMS: [Program; 2] = [
    ("sequence", |nth| format!("(v{0} = v{0} * 0.999 + {nth}.5)", nth % 8)),
    ("calls", |nth| format!("(v{0} = g(v{0}, {nth}))", nth % 8)),
];

fn main() {
    let n_rounds: usize = number("--rounds").unwrap_or(7);
    let only = option("--only");
    let mut lines = Vec::new();
    for (name, statement) in PROGRAMS {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let mut last = None;
        for n_statements in COUNTS {
            let (took, compile) = measure(n_statements, statement, n_rounds);
            let nanos = took.as_secs_f64() * 1e9 / N_RUN as f64;
            let ratio = last.map_or(1.0, |last| nanos / last);
            last = Some(nanos);
            let compile_ms =
                compile.map_or_else(String::new, |time| format!("{:.1}", time.as_secs_f64() * 1e3));
            println!(
                "{name:<8} {n_statements:>5} statements: {nanos:.2} ns each, {ratio:.2} of the line above, {compile_ms} ms to compile"
            );
            lines.push(format!("{name},{n_statements},{nanos:.3},{compile_ms}"));
        }
    }
    record::add("statements", "program,statements,nanos_per_statement,compile_ms", &lines);
}

/// What became of the loop: the time to compile it, or nothing if it is too large.
struct Outcomes(Mutex<Sender<Option<Duration>>>);

impl Observer for Outcomes {
    fn observe(&self, event: &Event) {
        let outcome = match event {
            Event::Compiled { tier: Tier::Optimized, osr_loop: Some(_), times, .. } => Some(times.total()),
            Event::CompileFailed { .. } => None,
            _ => return,
        };
        // No one listens any more at the end.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).send(outcome);
    }
}

/// The shortest time for the statements, and the time to compile them.
fn measure(
    n_statements: usize,
    statement: fn(usize) -> String,
    n_rounds: usize,
) -> (Duration, Option<Duration>) {
    let (sender, outcomes) = channel();
    let engine =
        Engine::builder().mode(Mode::Tiered).observer(Arc::new(Outcomes(Mutex::new(sender)))).build();
    let engine = engine.expect("an engine can be made");
    let statements: Vec<_> = (0..n_statements).map(statement).collect();
    let text = format!(
        "def binary: 1 (a b) b; def g(x y) x * 0.999 + y * 0.5 + x * 0.0001 - y * 0.25;
         def f(n) var v0, v1, v2, v3, v4, v5, v6, v7 in (for i = 1, i < n in {}) : v0 + v1;",
        statements.join(" : ")
    );
    assert_eq!(engine.run(&text).diagnostics().count(), 0, "the program is right");
    let call = format!("f({});", N_RUN / n_statements);
    let mut run = || assert_eq!(engine.run(&call).values().count(), 1, "the program runs");
    let compile = loop {
        run();
        if let Ok(outcome) = outcomes.try_recv() {
            break outcome;
        }
    };
    // What the loop calls may become hot, too.
    (0..3).for_each(|_| run());
    let shortest = (0..n_rounds).map(|_| thread_time(&mut run)).min();
    (shortest.unwrap_or_default(), compile)
}
