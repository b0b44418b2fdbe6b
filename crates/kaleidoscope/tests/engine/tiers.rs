//! Code that becomes hot, is made better, and goes back when what it carries is defined again.

use crate::memory::{alone, expect_level, functions};
use crate::{check, until};
use kaleidoscope::{
    CallError, DiagnosticCode, Engine, Event, Mode, Observer, Optimization, Statistics, Thresholds, Tier,
};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const LOW: Thresholds = Thresholds { calls: 5, back_edges: 10, delay: Duration::ZERO };

pub(crate) fn tiered() -> (Engine, Statistics) {
    let statistics = Statistics::new();
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(LOW).compile_threads(1);
    (builder.observer(statistics.clone()).build().unwrap(), statistics)
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
    let better = totals
        .compiled
        .iter()
        .find(|compiled| compiled.tier == Tier::Optimized && &*compiled.code.name == "f");
    assert_eq!(better.unwrap().inlined.iter().map(|name| &**name).collect::<Vec<_>>(), ["square"]);
}

/// After how many calls the function is hot, if it is at all.
fn calls_until_hot(delay: Duration) -> Option<u32> {
    struct IsHot(AtomicBool);
    impl Observer for IsHot {
        fn observe(&self, event: &Event) {
            self.0.fetch_or(matches!(event, Event::Hot { .. }), Ordering::Relaxed);
        }
    }
    let is_hot = Arc::new(IsHot(AtomicBool::new(false)));
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(Thresholds { delay, ..LOW });
    let engine = builder.observer(Arc::clone(&is_hot)).build().unwrap();
    check(&engine, "def f(x) x + 1;", &[], &[]);
    let f = engine.function::<(f64,)>("f").unwrap();
    (1..100_000).find(|_| {
        f.call((1.0,)).unwrap();
        is_hot.0.load(Ordering::Relaxed)
    })
}

#[test]
fn for_a_while_after_the_first_was_hot_they_count_anew() {
    let first = calls_until_hot(Duration::ZERO).unwrap();
    let later = calls_until_hot(Duration::from_nanos(1)).unwrap();
    assert!(later > first && later.is_multiple_of(first), "{later} calls, {first} without delay");
    assert_eq!(calls_until_hot(Duration::MAX), None);
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
                .filter(|compiled| compiled.tier == Tier::Optimized && &*compiled.code.name == "f")
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
    let has_better_loop = || statistics.totals().compiled.iter().any(|compiled| compiled.osr_loop == Some(1));
    // The second loop, in the position of an argument, with a value waiting on the stack and one variable from outside.
    let text = "def binary: 1 (a b) b; def add(a b c) a + b + c;
        def f(n) var s = 0 in (for i = 0, i < 2 in s = s + 1)
            : add(s * 100, (for i = 1, i < n in s = s + (if i < n then 1 else 0)), s) : s;";
    check(&engine, text, &[], &[]);
    until(has_better_loop, || check(&engine, "f(30000);", &[30_002.0], &[]));
}

/// Interrupts the call until it has ended.
fn expect_interrupted(engine: &Engine, running: thread::JoinHandle<Result<f64, CallError>>) {
    let interrupt = || {
        engine.interrupter().interrupt();
        thread::yield_now();
    };
    until(|| running.is_finished(), interrupt);
    assert_eq!(running.join().unwrap().unwrap_err().code(), DiagnosticCode::Interrupted);
}

#[test]
fn an_endless_loop_in_better_code_is_stopped() {
    let (engine, statistics) = tiered();
    check(&engine, "def endless(x) for i = 0, 1 in x = x + i;", &[], &[]);
    let endless = engine.function::<(f64,)>("endless").unwrap();
    let running = thread::spawn(move || endless.call((0.0,)));
    until(
        || statistics.totals().compiled.iter().any(|compiled| compiled.osr_loop.is_some()),
        thread::yield_now,
    );
    expect_interrupted(&engine, running);
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
    // So many parameters are all in registers, or not.
    for n_more in [0, 6, 7] {
        tail_calls_under_way_ask_for_better_code(n_more);
    }
}

fn tail_calls_under_way_ask_for_better_code(n_more: usize) {
    let (engine, statistics) = tiered();
    let more: String = (0..n_more).map(|k| format!(" p{k}")).collect();
    let handed_on = more.replace(' ', ", ");
    let text = format!(
        "def endless(x y{more}) if x < y then endless(y, x{handed_on}) else endless(x, y + 1{handed_on});"
    );
    check(&engine, &text, &[], &[]);
    let endless = engine.dyn_function("endless").unwrap();
    let running = thread::spawn(move || endless.call(&vec![0.0; 2 + n_more]));
    until(|| statistics.totals().optimized.contains("endless"), thread::yield_now);
    expect_interrupted(&engine, running);
}

/// Where no better code comes, tail calls look for it as long as they run, and take no stack for that.
#[test]
fn tail_calls_that_look_for_better_code_take_no_stack() {
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(LOW).stack_bytes(64 << 10);
    let engine = builder.build().unwrap();
    check(&engine, "def count(n s) if n < 1 then s else count(n - 1, s + 1);", &[], &[]);
    check(&engine, "count(5000000, 0);", &[5_000_000.0], &[]);
}

#[test]
fn a_loop_is_made_better_in_place_of_what_it_calls() {
    let statistics = Statistics::new();
    // So high that one call of a function says nothing of it.
    let thresholds = Thresholds { calls: 5_000, back_edges: 5_000, delay: Duration::ZERO };
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(thresholds).observer(statistics.clone());
    let engine = builder.build().unwrap();
    let text = "def line(x) 2 * x + 1; def bend(x) line(line(x)); def tail(x n) if n < 1 then x else tail(x / 2, n - 1);
        def run(n) var s = 0 in (for i = 1, i < n in s = s + bend(i) + tail(i, 3)) + s;";
    check(&engine, text, &[], &[]);
    let better = || -> Vec<_> {
        let totals = statistics.totals();
        totals.compiled.into_iter().filter(|compiled| compiled.tier == Tier::Optimized).collect()
    };
    until(|| !better().is_empty(), || assert_eq!(engine.run("run(10000);").values().count(), 1));
    let first = &better()[0];
    assert_eq!((&*first.code.name, first.osr_loop), ("run", Some(0)));
    assert_eq!(first.inlined.iter().map(|name| &**name).collect::<Vec<_>>(), ["line", "bend", "tail"]);
}

#[test]
fn functions_that_call_each_other_in_a_circle_are_made_better() {
    let (engine, statistics) = tiered();
    check(&engine, "extern odd(n); def even(n) if n < 1 then 1 else odd(n - 1);", &[], &[]);
    check(&engine, "def odd(n) if n < 1 then 0 else even(n - 1);", &[], &[]);
    let is_better = || statistics.totals().optimized.iter().any(|name| ["even", "odd"].contains(&&**name));
    until(is_better, || check(&engine, "even(30);", &[1.0], &[]));
    check(&engine, "even(31) + odd(31);", &[1.0], &[]);
}

/// Here one calls the other by its slot where the limit for better code is reached.
#[test]
fn functions_that_call_each_other_in_a_circle_are_all_made_better() {
    let (engine, statistics) = tiered();
    let text = "extern fb(n); def fa(n) if n < 2 then n else fb(n - 1) + fb(n - 2);
        def fb(n) if n < 2 then n else fa(n - 1) + fa(n - 2);";
    check(&engine, text, &[], &[]);
    let optimized = |name: &str| statistics.totals().optimized.contains(name);
    until(|| optimized("fa") && optimized("fb"), || check(&engine, "fa(18);", &[2_584.0], &[]));
}

/// Neither loop nor circle: each function calls the one before twice.
#[test]
fn functions_that_come_to_many_calls_are_made_better() {
    for by_handle in [false, true] {
        let (engine, statistics) = tiered();
        check(&engine, "def a0(x) x + 1;", &[], &[]);
        for k in 1..=16 {
            check(&engine, &format!("def a{k}(x) a{0}(a{0}(x));", k - 1), &[], &[]);
        }
        check(&engine, "def once(x) var y in (for i = 1, i < 1 in y = a16(x)) + y;", &[], &[]);
        let name = if by_handle { "a16" } else { "once" };
        let top = engine.function::<(f64,)>(name).unwrap();
        assert_eq!(top.call((1.0,)).unwrap(), 65_537.0);
        until(|| !statistics.totals().optimized.is_empty(), thread::yield_now);
    }
}

#[test]
fn a_function_that_nothing_counts_does_once_the_host_has_a_handle() {
    let (engine, statistics) = tiered();
    check(&engine, "def f(x) x + 1; def g(x) f(x) + 1;", &[], &[]);
    for _ in 0..100 {
        check(&engine, "g(1) + g(2);", &[7.0], &[]);
    }
    assert!(statistics.totals().optimized.is_empty(), "neither counts");
    let f = engine.function::<(f64,)>("f").unwrap();
    until(|| statistics.totals().optimized.contains("f"), || assert_eq!(f.call((3.0,)).unwrap(), 4.0));
    check(&engine, "g(1) + g(2);", &[7.0], &[]);
}

#[test]
fn what_better_code_leaves_out_is_made_better_by_itself() {
    let (engine, statistics) = tiered();
    let sum = "+ x".repeat(45);
    for k in 0..20 {
        check(&engine, &format!("def f{k}(x) {k} {sum};"), &[], &[]);
    }
    let calls: String = (0..20).map(|k| format!("+ f{k}(i)")).collect();
    check(&engine, &format!("def run(n) var s = 0 in (for i = 1, i < n in s = s {calls}) + s;"), &[], &[]);
    let is_better = || {
        let totals = statistics.totals();
        let better = totals.compiled.iter().filter(|compiled| compiled.tier == Tier::Optimized);
        let names: HashSet<_> = better
            .flat_map(|compiled| compiled.inlined.iter().cloned().chain([compiled.code.name.clone()]))
            .collect();
        (0..20).all(|k| names.contains(&*format!("f{k}")))
    };
    until(is_better, || assert_eq!(engine.run("run(100);").values().count(), 1));
    check(&engine, "run(2);", &[(1..=2).map(|i| 190.0 + 20.0 * 45.0 * f64::from(i)).sum()], &[]);
}

/// Counts how much optimised code was made and given back.
#[derive(Clone, Default)]
struct Balance(Arc<[AtomicUsize; 2]>);

impl Observer for Balance {
    fn observe(&self, event: &Event) {
        match event {
            Event::Compiled { tier: Tier::Optimized, .. } => self.0[0].fetch_add(1, Ordering::SeqCst),
            Event::Reclaimed { tier: Tier::Optimized, .. } => self.0[1].fetch_add(1, Ordering::SeqCst),
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
            Event::Compiled { code, tier: Tier::Optimized, .. } if &*code.name == "caller" => {
                self.n_promoted.fetch_add(1, Ordering::SeqCst);
            }
            Event::Invalidated { code, .. } if &*code.name == "caller" => {
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
            let expected = 2.0 * (9.25 + n as f64);
            until(|| of(&seen.n_promoted) > n, || assert_eq!(caller.call((3.0,)).unwrap(), expected));
        });
    });
}
