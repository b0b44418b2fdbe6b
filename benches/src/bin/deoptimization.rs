//! How soon does a redefinition reach code that is running, and how soon is that code fast again?
//!
//! Loops and a recursion run for ever in optimized code that has inlined a function. Another thread
//! redefines the function 1,000 times, each time after the code was optimized again. Prints how
//! long after `def` has returned the program left the code or called the new definition, as a
//! histogram, and how long it took from there to optimized code. Goals: at most 1 ms until the new
//! definition runs, at most 100 ms until it is optimized.
//!
//! `--rounds N` changes the number of redefinitions, `--only NAME` runs one program.

use kaleidoscope::{Engine, Event, Interrupter, Mode, Observer, Tier};
use kaleidoscope_benches::arguments::{number, option};
use kaleidoscope_benches::record;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Programs: a name, definitions, and an expression that never ends. `v` is redefined.
const PROGRAMS: &[(&str, &str, &str)] = &[
    // The body is cheap and its number of iterations is known: checked once in a strip.
    ("counted", "def f(n) var s in (for i = 0, i < n in s = s + v(i)) + s;", "f(1e18);"),
    // Checked in each iteration.
    ("condition", "def f(n) for i = 0, v(i) < n in 0;", "f(1e18);"),
    // No single loop runs for long.
    (
        "nested",
        "def f(n) var s in (for h = 0, 1 in for i = 0, i < n in for j = 0, j < n in for k = 0, k < n in \
         s = s + v(k)) + s;",
        "f(900);",
    ),
    // Each iteration takes long.
    (
        "pow",
        "def p(x) x^1.1 + x^1.2 + x^1.3 + x^1.4 + x^1.5 + x^1.6 + x^1.7 + x^1.8; \
         def q(x) p(x) + p(x+1) + p(x+2) + p(x+3) + p(x+4) + p(x+5) + p(x+6) + p(x+7); \
         def f(n) var s in (for i = 0, i < n in s = s + q(i) + v(i)) + s;",
        "f(1e18);",
    ),
    ("tail_call", "def f(n) if v(n) < n then f(n + 1) else f(n + 2);", "f(0);"),
    (
        "recursion",
        "def r(n) if n < 2 then v(n) else r(n-1) + r(n-2); def f(n) for i = 0, 1 in r(n);",
        "f(25);",
    ),
];

fn main() {
    let n_rounds: usize = number("--rounds").unwrap_or(1_000);
    let only = option("--only");
    let mut lines = Vec::new();
    for (name, definitions, expression) in PROGRAMS {
        if only.as_deref().is_none_or(|only| only == *name) {
            lines.push(measure(name, definitions, expression, n_rounds));
        }
    }
    record::add(
        "deoptimization",
        "program,rounds,reached_p50,reached_p99,reached_max,back_p50,back_max",
        &lines,
    );
}

/// What the running program does.
enum Step {
    /// It left invalidated code, or called the new definition for the first time.
    Reached(Instant),
    /// Optimized code was installed.
    Optimized(Instant),
}

struct Steps(Mutex<Sender<Step>>);

impl Observer for Steps {
    fn observe(&self, event: &Event) {
        let now = Instant::now();
        let step = match event {
            Event::Deoptimized { .. } => Step::Reached(now),
            Event::FirstCalled { code } if &*code.name == "v" => Step::Reached(now),
            Event::Compiled { tier: Tier::Optimized, .. } => Step::Optimized(now),
            _ => return,
        };
        // No one listens any more at the end.
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).send(step));
    }
}

/// Interrupts the program when it is dropped.
struct Interrupts(Interrupter);

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}

/// Returns the line of the record, in microseconds.
fn measure(name: &str, definitions: &str, expression: &str, n_rounds: usize) -> String {
    let (sender, steps) = channel();
    let engine = Engine::builder().mode(Mode::Tiered).observer(Arc::new(Steps(Mutex::new(sender)))).build();
    let engine = engine.expect("an engine can be made");
    engine.run("def v(x) x * 0.5;").ok().expect("the text is correct");
    engine.run(definitions).ok().expect("the text is correct");
    let (mut reached, mut back) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let runner = engine.clone();
        // The scope waits for the program, also if this thread panics.
        let _end = Interrupts(engine.interrupter());
        scope.spawn(move || runner.run(expression));
        wait_for_optimized(&steps);
        let mut round = 0;
        while reached.len() < n_rounds {
            // Meanwhile the program enters the new code, at its next back edge or call.
            while steps.recv_timeout(Duration::from_millis(2)).is_ok() {}
            round += 1;
            engine.run(&format!("def v(x) x * 0.5 + {round};")).ok().expect("the text is correct");
            let redefined = Instant::now();
            // Otherwise new code was ready before any call.
            if let Step::Reached(when) = next(&steps) {
                reached.push(when.saturating_duration_since(redefined));
                back.push(wait_for_optimized(&steps).saturating_duration_since(when));
            }
        }
    });
    reached.sort_unstable();
    back.sort_unstable();
    let micros = |times: &[Duration], percent: usize| times[(times.len() - 1) * percent / 100].as_micros();
    println!(
        "{name:<10} reached after: median {} µs, 99 % {} µs, longest {} µs; optimized again after: median {} ms, longest {} ms",
        micros(&reached, 50),
        micros(&reached, 99),
        micros(&reached, 100),
        micros(&back, 50) / 1_000,
        micros(&back, 100) / 1_000,
    );
    histogram(&reached);
    format!(
        "{name},{n_rounds},{},{},{},{},{}",
        micros(&reached, 50),
        micros(&reached, 99),
        micros(&reached, 100),
        micros(&back, 50),
        micros(&back, 100)
    )
}

fn wait_for_optimized(steps: &Receiver<Step>) -> Instant {
    loop {
        if let Step::Optimized(when) = next(steps) {
            return when;
        }
    }
}

fn next(steps: &Receiver<Step>) -> Step {
    steps.recv_timeout(Duration::from_secs(20)).expect("the program goes on and is optimized")
}

/// Prints how many times are in each range.
fn histogram(sorted: &[Duration]) {
    let limits = [10, 20, 50, 100, 200, 500, 1_000, 10_000, u64::MAX];
    let mut from = 0;
    for limit in limits {
        let to = sorted.partition_point(|time| (time.as_micros() as u64) < limit);
        if to > from {
            let upper = if limit == u64::MAX { "more".to_owned() } else { format!("< {limit} µs") };
            println!("           {upper:>10}: {:>5}", to - from);
        }
        from = to;
    }
}
