//! Does memory level off when a function is defined again and again?
//!
//! Defines a function 100,000 times in one engine, each time otherwise, and calls it after each: directly, and through a caller
//! compiled before the first of them. So each turn compiles, links and frees a code of the function and the expression that
//! calls, in lazy mode by LLVM, in tiered mode quickly.
//!
//! Then 10,000 times in tiered mode with thresholds so low that the caller is promoted after each definition, with the function
//! inlined, and the next definition invalidates it: each turn waits for that, and the counts of events must say so.
//!
//! Says how much resident memory grew over the last half of the turns. Goal: less than 1 MiB, which is some twenty bytes
//! a definition.

use kaleidoscope::{Engine, Event, Mode, Observer, Thresholds, Tier};
use kaleidoscope_benches::memory::resident_bytes;
use kaleidoscope_benches::record;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::time::Instant;

const N_DEFINITIONS: usize = 100_000;
const N_PROMOTIONS: usize = 10_000;

/// What is there before the first definition is counted.
const BEGIN: &str = "def f(x) x; def caller(x) f(x) * 2; caller(1);";

fn main() {
    let lines = [redefine(Mode::Tiered), redefine(Mode::Lazy), promote()];
    record::add("redefinitions", "mode,definitions,promoted,invalidated,grown_kib,micros", &lines);
}

/// Gives the line of the record, as [`promote`] does.
fn redefine(mode: Mode) -> String {
    let seen = Arc::new(Seen::default());
    let engine = Engine::builder().mode(mode).observer(Arc::clone(&seen)).build();
    let engine = engine.expect("an engine can be made");
    engine.run(BEGIN);
    let (grown, micros) = level(mode.name(), N_DEFINITIONS, |n| {
        let outcome = engine.run(&format!("def f(x) x * x + {n}.25; f(3) + caller(3);"));
        assert_eq!(outcome.values().collect::<Vec<_>>(), [3.0 * (9.25 + n as f64)]);
    });
    seen.line(mode, N_DEFINITIONS, grown, micros)
}

fn promote() -> String {
    let seen = Arc::new(Seen::default());
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(Thresholds {
        calls: 5,
        back_edges: 5,
        delay: Duration::ZERO,
    });
    let engine = builder.observer(Arc::clone(&seen)).build().expect("an engine can be made");
    engine.run(BEGIN);
    let caller = engine.function::<(f64,)>("caller").expect("it is defined");
    let (grown, micros) = level("promoted", N_PROMOTIONS, |n| {
        engine.run(&format!("def f(x) x * x + {n}.25;"));
        while count(&seen.promoted) <= n {
            assert_eq!(caller.call((3.0,)), Ok(2.0 * (9.25 + n as f64)));
        }
    });
    // The last promotion is the one that no definition follows.
    engine.run("def f(x) x;");
    let [hot, promoted, invalidated] = [&seen.hot, &seen.promoted, &seen.invalidated].map(count);
    println!("the caller: {hot} times hot, {promoted} times promoted, {invalidated} times invalidated");
    assert!([hot, promoted, invalidated].into_iter().all(|n| n >= N_PROMOTIONS));
    seen.line(Mode::Tiered, N_PROMOTIONS, grown, micros)
}

/// What happened to `caller`.
#[derive(Default)]
struct Seen {
    hot: AtomicUsize,
    promoted: AtomicUsize,
    invalidated: AtomicUsize,
}

impl Seen {
    fn line(&self, mode: Mode, n_definitions: usize, grown_kib: i64, micros: f64) -> String {
        let [promoted, invalidated] = [&self.promoted, &self.invalidated].map(count);
        format!("{},{n_definitions},{promoted},{invalidated},{grown_kib},{micros:.0}", mode.name())
    }
}

impl Observer for Seen {
    fn observe(&self, event: &Event) {
        let (code, counter) = match event {
            Event::Hot { code, .. } => (code, &self.hot),
            Event::Compiled { code, tier: Tier::Optimized, .. } => (code, &self.promoted),
            Event::Invalidated { code, .. } => (code, &self.invalidated),
            _ => return,
        };
        if &*code.name == "caller" {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn count(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::SeqCst)
}

/// By how many KiB resident memory has grown over the last half of the turns, and how many microseconds one took.
fn level(name: &str, n_turns: usize, mut turn: impl FnMut(usize)) -> (i64, f64) {
    let start = Instant::now();
    let mut halfway = 0;
    for n in 0..n_turns {
        turn(n);
        if n + 1 == n_turns / 2 {
            halfway = resident_bytes();
        }
        if (n + 1) % (n_turns / 10) == 0 {
            println!("{name:<8} {:>7} definitions: {:>6} KiB resident", n + 1, resident_bytes() >> 10);
        }
    }
    let grown = (resident_bytes() as i64 - halfway as i64) >> 10;
    let micros = start.elapsed().as_secs_f64() * 1e6 / n_turns as f64;
    println!("{name:<8} grown over the last {}: {grown} KiB; {micros:.0} µs for each", n_turns / 2);
    (grown, micros)
}
