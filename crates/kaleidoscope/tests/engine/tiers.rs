//! Code that becomes hot, is made better, and goes back when what it carries is defined again.

use crate::check;
use crate::memory::{alone, expect_level, functions};
use kaleidoscope::{Code, Engine, Event, Mode, Observer, Optimization, Statistics, Thresholds, Tier};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const LOW: Thresholds = Thresholds { calls: 5, turns: 10 };

pub(crate) fn tiered() -> (Engine, Statistics) {
    let statistics = Statistics::new();
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(LOW).compile_threads(1);
    (builder.observer(statistics.clone()).build().unwrap(), statistics)
}

/// Does something again and again until what is awaited has come in the background. On a machine where it never comes, the test
/// does not end, and says by that what is missing.
pub(crate) fn until(mut has_come: impl FnMut() -> bool, mut meanwhile: impl FnMut()) {
    while !has_come() {
        meanwhile();
        thread::yield_now();
    }
}

#[test]
fn a_function_that_is_called_often_is_made_better() {
    let (engine, statistics) = tiered();
    check(&engine, "def square(x) x * x; def f(x) square(x) + 1;", &[], &[]);
    let f = engine.function::<(f64,)>("f").unwrap();
    assert_eq!(f.call((3.0,)).unwrap(), 10.0);
    assert!(statistics.totals().optimized.is_empty(), "one call is not hot");
    until(|| statistics.totals().optimized.contains("f"), || assert_eq!(f.call((3.0,)).unwrap(), 10.0));
    assert_eq!(f.call((4.0,)).unwrap(), 17.0);
    let totals = statistics.totals();
    let better = totals.compiled.iter().find(|body| body.tier == Tier::Optimized && &*body.body.name == "f");
    assert_eq!(better.unwrap().inlined.iter().map(|name| &**name).collect::<Vec<_>>(), ["square"]);
}

#[test]
fn a_definition_reaches_what_carries_the_old_one() {
    let (engine, statistics) = tiered();
    check(&engine, "def g(x) x + 1; def f(x) 2 * g(x);", &[], &[]);
    let f = engine.function::<(f64,)>("f").unwrap();
    for n in 1..20_u32 {
        let expected = 2.0 * (5.0 + f64::from(n));
        let n_better = || {
            let totals = statistics.totals();
            totals
                .compiled
                .iter()
                .filter(|body| body.tier == Tier::Optimized && &*body.body.name == "f")
                .count()
        };
        until(|| n_better() >= n as usize, || assert_eq!(f.call((5.0,)).unwrap(), expected));
        assert_eq!(f.call((5.0,)).unwrap(), expected);
        check(&engine, &format!("def g(x) x + {};", n + 1), &[], &[]);
        assert_eq!(f.call((5.0,)).unwrap(), expected + 2.0, "the call after the definition sees it");
        assert_eq!(statistics.totals().n_invalidated, u64::from(n));
    }
}

#[test]
fn a_loop_that_runs_is_left_for_better_code() {
    let (engine, statistics) = tiered();
    let has_better_loop = || statistics.totals().compiled.iter().any(|body| body.of_loop == Some(1));
    // The second loop, in the position of an argument, with a value waiting on the stack and one variable from outside.
    let text = "def binary: 1 (a b) b; def add(a b c) a + b + c;
        def f(n) var s = 0 in (for i = 0, i < 2 in s = s + 1)
            : add(s * 100, (for i = 1, i < n in s = s + (if i < n then 1 else 0)), s) : s;";
    check(&engine, text, &[], &[]);
    until(has_better_loop, || check(&engine, "f(30000);", &[30_002.0], &[]));
}

#[test]
fn an_endless_loop_in_better_code_is_stopped() {
    let (engine, statistics) = tiered();
    check(&engine, "def endless(x) for i = 0, 1 in x = x + i;", &[], &[]);
    let endless = engine.function::<(f64,)>("endless").unwrap();
    let running = thread::spawn(move || endless.call((0.0,)));
    until(|| statistics.totals().compiled.iter().any(|body| body.of_loop.is_some()), || ());
    while !running.is_finished() {
        engine.interrupter().interrupt();
        thread::yield_now();
    }
    assert_eq!(running.join().unwrap().unwrap_err().code(), Code::Interrupted);
}

#[test]
fn a_tail_call_goes_on_in_better_code() {
    let (engine, statistics) = tiered();
    check(&engine, "def count(n s) if n < 1 then s else count(n - 1, s + 1);", &[], &[]);
    let is_better = || statistics.totals().optimized.contains("count");
    until(is_better, || check(&engine, "count(20000, 0);", &[20_000.0], &[]));
    check(&engine, "count(3000000, 0);", &[3_000_000.0], &[]);
}

#[test]
fn a_tail_call_under_way_asks_for_better_code_by_itself() {
    let (engine, statistics) = tiered();
    check(&engine, "def endless(x y) if x < y then endless(y, x) else endless(x, y + 1);", &[], &[]);
    let endless = engine.function::<(f64, f64)>("endless").unwrap();
    let running = thread::spawn(move || endless.call((0.0, 0.0)));
    until(|| statistics.totals().optimized.contains("endless"), || ());
    while !running.is_finished() {
        engine.interrupter().interrupt();
        thread::yield_now();
    }
    assert_eq!(running.join().unwrap().unwrap_err().code(), Code::Interrupted);
}

/// Where no better code comes, looking for it takes ever less stack.
#[test]
fn tail_calls_that_look_for_better_code_take_little_stack() {
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(LOW).stack_bytes(64 << 10);
    let engine = builder.build().unwrap();
    check(&engine, "def count(n s) if n < 1 then s else count(n - 1, s + 1);", &[], &[]);
    check(&engine, "count(5000000, 0);", &[5_000_000.0], &[]);
}

/// Counts how much optimised code was made and given back.
#[derive(Clone, Default)]
struct Balance(Arc<[AtomicUsize; 2]>);

impl Observer for Balance {
    fn observe(&self, event: &Event) {
        match event {
            Event::Compiled { tier: Tier::Optimized, .. } => self.0[0].fetch_add(1, Ordering::SeqCst),
            Event::Freed { tier: Tier::Optimized, .. } => self.0[1].fetch_add(1, Ordering::SeqCst),
            _ => 0,
        };
    }
}

#[test]
fn optimised_code_that_no_longer_holds_is_given_back() {
    let balance = Balance::default();
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(LOW).compile_threads(2);
    let engine = builder.observer(balance.clone()).build().unwrap();
    check(&engine, "def g(x) x; def f(x) for i = 0, i < 20 in g(x);", &[], &[]);
    let f = engine.function::<(f64,)>("f").unwrap();
    let n_made = || balance.0[0].load(Ordering::SeqCst);
    for round in 1..10 {
        until(|| n_made() >= round, || assert_eq!(f.call((1.0,)).unwrap(), 0.0));
        check(&engine, "def g(x) x + 1;", &[], &[]);
    }
    // One call after the last definition gives back what nobody is inside of.
    f.call((1.0,)).unwrap();
    let [made, freed] = [0, 1].map(|idx| balance.0[idx].load(Ordering::SeqCst));
    assert!(made - freed <= 6, "{made} pieces of code were made, and {freed} given back");
}

/// How often `caller` was promoted and taken back.
#[derive(Default)]
struct Seen {
    n_promoted: AtomicUsize,
    n_invalidated: AtomicUsize,
}

impl Observer for Seen {
    fn observe(&self, event: &Event) {
        match event {
            Event::Compiled { body, tier: Tier::Optimized, .. } if &*body.name == "caller" => {
                self.n_promoted.fetch_add(1, Ordering::SeqCst);
            }
            Event::Invalidated { body, .. } if &*body.name == "caller" => {
                self.n_invalidated.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
    }
}

/// Each definition takes a caller back that was promoted with the function before.
#[test]
fn promotions_and_invalidations_leave_memory_level() {
    const N_PROMOTIONS: usize = 300;
    alone("tiers::promotions_and_invalidations_leave_memory_level", || {
        let seen = Arc::new(Seen::default());
        let builder = Engine::builder().mode(Mode::Tiered).thresholds(LOW);
        let builder = builder.optimization(Optimization::None).observer(Arc::clone(&seen));
        let engine = builder.build().unwrap();
        let [_, caller] = functions(&engine);
        let of = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        expect_level(N_PROMOTIONS, |n| {
            engine.run(&format!("def f(x) x * x + {n}.25;"));
            assert_eq!(of(&seen.n_invalidated), n);
            while of(&seen.n_promoted) <= n {
                assert_eq!(caller.call((3.0,)).unwrap(), 2.0 * (9.25 + n as f64));
                thread::yield_now();
            }
        });
    });
}
