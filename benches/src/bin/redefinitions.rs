//! Does memory level off when a function is redefined many times?
//!
//! Redefines a function 100,000 times in one engine, with a new body each time. Calls it after
//! each redefinition, directly and through a caller that was compiled before the first one. Each
//! round compiles, links and frees the function's code and the expression that calls it: with LLVM
//! in lazy mode, with the baseline compiler in tiered mode.
//!
//! Then redefines it 10,000 times in tiered mode with very low thresholds. The caller tiers up
//! with the function inlined after each definition, and the next definition invalidates it. Each
//! round waits for the tier-up, and the numbers of events are checked.
//!
//! Prints how much resident memory grew over the last half of the rounds. Goal: less than 1 MiB,
//! about twenty bytes a definition.

use kaleidoscope::{Engine, Event, Mode, Observer, Thresholds, Tier};
use kaleidoscope_benches::memory::resident_bytes;
use kaleidoscope_benches::record;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::time::Instant;

const N_DEFINITIONS: usize = 100_000;
const N_TIER_UPS: usize = 10_000;

/// Definitions before the first counted one.
const BEGIN: &str = "def f(x) x; def caller(x) f(x) * 2; caller(1);";

fn main() {
    let lines = [redefine(Mode::Tiered), redefine(Mode::Lazy), tier_up()];
    record::add("redefinitions", "mode,definitions,optimized,invalidated,grown_kib,micros", &lines);
}

/// Redefines without tier-ups. Returns the line of the record, as [`tier_up`] does.
fn redefine(mode: Mode) -> String {
    let events = Arc::new(CallerEvents::default());
    let engine = Engine::builder().mode(mode).observer(Arc::clone(&events)).build();
    let engine = engine.expect("an engine can be made");
    engine.run(BEGIN).ok().expect("the text is correct");
    let (grown, micros) = level(mode.name(), N_DEFINITIONS, |n| {
        let outcome = engine.run(&format!("def f(x) x * x + {n}.25; f(3) + caller(3);"));
        assert_eq!(outcome.values().collect::<Vec<_>>(), [3.0 * (9.25 + n as f64)]);
    });
    events.line(mode, N_DEFINITIONS, grown, micros)
}

/// Redefines with a tier-up and an invalidation each time.
fn tier_up() -> String {
    let events = Arc::new(CallerEvents::default());
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(Thresholds {
        calls: 5,
        back_edges: 5,
        delay: Duration::ZERO,
    });
    let engine = builder.observer(Arc::clone(&events)).build().expect("an engine can be made");
    engine.run(BEGIN).ok().expect("the text is correct");
    let caller = engine.function::<(f64,)>("caller").expect("the caller is defined");
    let (grown, micros) = level("tier-up", N_TIER_UPS, |n| {
        engine.run(&format!("def f(x) x * x + {n}.25;")).ok().expect("the text is correct");
        while count(&events.optimized) <= n {
            assert_eq!(caller.call((3.0,)), Ok(2.0 * (9.25 + n as f64)));
        }
    });
    // No definition has invalidated the last tier-up yet.
    engine.run("def f(x) x;").ok().expect("the text is correct");
    let [hot, optimized, invalidated] = [&events.hot, &events.optimized, &events.invalidated].map(count);
    println!("the caller: {hot} times hot, {optimized} times optimized, {invalidated} times invalidated");
    assert!([hot, optimized, invalidated].into_iter().all(|n| n >= N_TIER_UPS));
    events.line(Mode::Tiered, N_TIER_UPS, grown, micros)
}

/// Numbers of events of `caller`.
#[derive(Default)]
struct CallerEvents {
    hot: AtomicUsize,
    optimized: AtomicUsize,
    invalidated: AtomicUsize,
}

impl CallerEvents {
    fn line(&self, mode: Mode, n_definitions: usize, grown_kib: i64, micros: f64) -> String {
        let [optimized, invalidated] = [&self.optimized, &self.invalidated].map(count);
        format!("{},{n_definitions},{optimized},{invalidated},{grown_kib},{micros:.0}", mode.name())
    }
}

impl Observer for CallerEvents {
    fn observe(&self, event: &Event) {
        let (code, counter) = match event {
            Event::Hot { code, .. } => (code, &self.hot),
            Event::Compiled { code, tier: Tier::Optimized, .. } => (code, &self.optimized),
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

/// Runs the rounds. Returns the growth of resident memory over the last half, in KiB, and the time
/// of a round in microseconds.
fn level(name: &str, n_rounds: usize, mut run_round: impl FnMut(usize)) -> (i64, f64) {
    let start = Instant::now();
    let mut halfway = 0;
    for n in 0..n_rounds {
        run_round(n);
        if n + 1 == n_rounds / 2 {
            halfway = resident_bytes();
        }
        if (n + 1) % (n_rounds / 10) == 0 {
            println!("{name:<8} {:>7} definitions: {:>6} KiB resident", n + 1, resident_bytes() >> 10);
        }
    }
    let grown = (resident_bytes() as i64 - halfway as i64) >> 10;
    let micros = start.elapsed().as_secs_f64() * 1e6 / n_rounds as f64;
    println!("{name:<8} grown over the last {}: {grown} KiB; {micros:.0} µs for each", n_rounds / 2);
    (grown, micros)
}
