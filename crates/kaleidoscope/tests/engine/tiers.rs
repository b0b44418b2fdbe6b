//! Tier-up: hot code is optimized, and invalidated when a function inlined into it is redefined.

use crate::memory::{alone, expect_constant_memory, functions};
use crate::{PATIENCE, check, until};
use kaleidoscope::{
    CallError, DiagnosticCode, Engine, Event, Mode, Observer, Optimization, Statistics, Thresholds, Tier,
};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

const LOW: Thresholds = Thresholds { calls: 5, back_edges: 10, delay: Duration::ZERO };

pub(crate) fn tiered() -> (Engine, Statistics) {
    let statistics = Statistics::new();
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(LOW).compile_threads(1);
    (builder.observer(statistics.clone()).build().unwrap(), statistics)
}

#[test]
fn a_function_that_is_called_often_tiers_up() {
    let (engine, statistics) = tiered();
    check(&engine, "def square(x) x * x; def f(x) square(x) + 1;", &[], &[]);
    let f = engine.function::<(f64,)>("f").unwrap();
    assert_eq!(f.call((3.0,)).unwrap(), 10.0);
    assert!(statistics.totals().optimized.is_empty(), "one call is not hot");
    until(|| statistics.totals().optimized.contains("f"), || assert_eq!(f.call((3.0,)).unwrap(), 10.0));
    assert_eq!(f.call((4.0,)).unwrap(), 17.0);
    let totals = statistics.totals();
    let optimized = totals
        .compiled
        .iter()
        .find(|compiled| compiled.tier == Tier::Optimized && &*compiled.code.name == "f");
    assert_eq!(optimized.unwrap().inlined.iter().map(|name| &**name).collect::<Vec<_>>(), ["square"]);
}

/// The number of calls of compiled code after which a function is hot; `None` if it never is.
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
    // The first call runs in the interpreter.
    f.call((1.0,)).unwrap();
    (1..100_000).find(|_| {
        f.call((1.0,)).unwrap();
        is_hot.0.load(Ordering::Relaxed)
    })
}

#[test]
fn counters_reset_during_the_tier_up_delay() {
    let first = calls_until_hot(Duration::ZERO).unwrap();
    let later = calls_until_hot(Duration::from_nanos(1)).unwrap();
    assert!(later > first && later.is_multiple_of(first), "{later} calls, {first} without delay");
    assert_eq!(calls_until_hot(Duration::MAX), None);
}

#[test]
fn a_redefinition_invalidates_dependents() {
    let (engine, statistics) = tiered();
    check(&engine, "def g(x) x + 1; def f(x) 2 * g(x);", &[], &[]);
    let f = engine.function::<(f64,)>("f").unwrap();
    for n in 1..20_u32 {
        let expected = 2.0 * (5.0 + f64::from(n));
        let n_compiled = || {
            let totals = statistics.totals();
            totals
                .compiled
                .iter()
                .filter(|compiled| compiled.tier == Tier::Optimized && &*compiled.code.name == "f")
                .count()
        };
        until(|| n_compiled() >= n as usize, || assert_eq!(f.call((5.0,)).unwrap(), expected));
        assert_eq!(f.call((5.0,)).unwrap(), expected);
        check(&engine, &format!("def g(x) x + {};", n + 1), &[], &[]);
        assert_eq!(f.call((5.0,)).unwrap(), expected + 2.0, "the next call runs the new definition");
        assert_eq!(statistics.totals().n_invalidated, u64::from(n));
    }
}

#[test]
fn a_running_loop_is_replaced_on_the_stack() {
    let (engine, statistics) = tiered();
    let has_osr_code = || statistics.totals().compiled.iter().any(|compiled| compiled.osr_loop == Some(1));
    // The second loop, inside an argument, with a value on the operand stack and a variable from
    // outside.
    let text = "def binary: 1 (a b) b; def add(a b c) a + b + c;
        def f(n) var s = 0 in (for i = 0, i < 2 in s = s + 1)
            : add(s * 100, (for i = 1, i < n in s = s + (if i < n then 1 else 0)), s) : s;";
    check(&engine, text, &[], &[]);
    until(has_osr_code, || check(&engine, "f(30000);", &[30_002.0], &[]));
}

#[test]
fn a_redefinition_invalidates_osr_code_that_has_inlined_its_own_function() {
    let (engine, statistics) = tiered();
    let of_host: Arc<OnceLock<Engine>> = Arc::default();
    let n_old_calls = Arc::new(AtomicU32::new(0));
    let has_osr_code =
        move || statistics.totals().compiled.iter().any(|compiled| compiled.osr_loop == Some(1));
    let more = {
        let (engine, n_old_calls) = (Arc::clone(&of_host), Arc::clone(&n_old_calls));
        move |round: f64, nth: f64| {
            if round == 1.0 {
                return f64::from(nth < 999.0);
            }
            n_old_calls.fetch_add(1, Ordering::Relaxed);
            let redefines = has_osr_code();
            if redefines {
                check(engine.get().unwrap(), "def f(n) 1000;", &[], &[]);
            }
            f64::from(!redefines)
        }
    };
    engine.register("more", more).unwrap();
    of_host.set(engine.clone()).unwrap();
    // In the first round, `f(0)` is the old definition, and OSR code with a copy of it runs. The
    // redefinition ends the round. The second round calls the new definition.
    let text = "def f(n) if n < 1 then 1 else var s = 0 in
            (for i = 0, i < 1 in for j = 0, more(i, j) in s = s + f(0)) + s;";
    check(&engine, text, &[], &[]);
    let f = engine.function::<(f64,)>("f").unwrap().within(PATIENCE);
    let value = f.call((1.0,)).unwrap();
    assert_eq!(value, f64::from(n_old_calls.load(Ordering::Relaxed)) + 1_000.0 * 1_000.0);
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
fn an_interrupt_stops_an_endless_loop_in_optimized_code() {
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
fn running_tail_calls_continue_in_optimized_code() {
    let (engine, statistics) = tiered();
    check(&engine, "def count(n s) if n < 1 then s else count(n - 1, s + 1);", &[], &[]);
    let is_optimized = || statistics.totals().optimized.contains("count");
    until(is_optimized, || check(&engine, "count(20000, 0);", &[20_000.0], &[]));
    check(&engine, "count(3000000, 0);", &[3_000_000.0], &[]);
}

#[test]
fn running_tail_calls_tier_up() {
    // With this many more parameters, all are in registers, or not.
    for n_more in [0, 6, 7] {
        expect_running_tail_calls_tier_up(n_more);
    }
}

fn expect_running_tail_calls_tier_up(n_more: usize) {
    let (engine, statistics) = tiered();
    let more: String = (0..n_more).map(|k| format!(" p{k}")).collect();
    let passed_on = more.replace(' ', ", ");
    let text = format!(
        "def endless(x y{more}) if x < y then endless(y, x{passed_on}) else endless(x, y + 1{passed_on});"
    );
    check(&engine, &text, &[], &[]);
    let endless = engine.dyn_function("endless").unwrap();
    let running = thread::spawn(move || endless.call(&vec![0.0; 2 + n_more]));
    until(|| statistics.totals().optimized.contains("endless"), thread::yield_now);
    expect_interrupted(&engine, running);
}

/// While no optimized code exists, running tail calls check for it again and again, on the same
/// stack.
#[test]
fn tail_calls_that_check_for_optimized_code_use_no_stack() {
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(LOW).stack_bytes(64 << 10);
    let engine = builder.build().unwrap();
    check(&engine, "def count(n s) if n < 1 then s else count(n - 1, s + 1);", &[], &[]);
    check(&engine, "count(5000000, 0);", &[5_000_000.0], &[]);
}

#[test]
fn a_hot_loop_is_optimized_instead_of_its_callees() {
    let statistics = Statistics::new();
    // So high that one call of a function does not make it hot.
    let thresholds = Thresholds { calls: 5_000, back_edges: 5_000, delay: Duration::ZERO };
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(thresholds).observer(statistics.clone());
    let engine = builder.build().unwrap();
    let text = "def line(x) 2 * x + 1; def bend(x) line(line(x)); def tail(x n) if n < 1 then x else tail(x / 2, n - 1);
        def run(n) var s = 0 in (for i = 1, i < n in s = s + bend(i) + tail(i, 3)) + s;";
    check(&engine, text, &[], &[]);
    let optimized = || -> Vec<_> {
        let totals = statistics.totals();
        totals.compiled.into_iter().filter(|compiled| compiled.tier == Tier::Optimized).collect()
    };
    // One call: however long the compile job takes, the function is not hot by its calls.
    let run = engine.function::<(f64,)>("run").unwrap();
    let running = thread::spawn(move || run.call((1e12,)));
    until(|| !optimized().is_empty(), thread::yield_now);
    expect_interrupted(&engine, running);
    let first = &optimized()[0];
    assert_eq!((&*first.code.name, first.osr_loop), ("run", Some(0)));
    assert_eq!(first.inlined.iter().map(|name| &**name).collect::<Vec<_>>(), ["line", "bend", "tail"]);
}

#[test]
fn a_recursive_cycle_tiers_up() {
    let (engine, statistics) = tiered();
    check(&engine, "extern odd(n); def even(n) if n < 1 then 1 else odd(n - 1);", &[], &[]);
    check(&engine, "def odd(n) if n < 1 then 0 else even(n - 1);", &[], &[]);
    let is_optimized = || statistics.totals().optimized.iter().any(|name| ["even", "odd"].contains(&&**name));
    until(is_optimized, || check(&engine, "even(30);", &[1.0], &[]));
    check(&engine, "even(31) + odd(31);", &[1.0], &[]);
}

/// At the inlining budget, one calls the other through its slot, so both need optimized code.
#[test]
fn every_function_of_a_recursive_cycle_tiers_up() {
    let (engine, statistics) = tiered();
    let text = "extern fb(n); def fa(n) if n < 2 then n else fb(n - 1) + fb(n - 2) + 0;
        def fb(n) if n < 2 then n else fa(n - 1) + fa(n - 2) + 0;";
    check(&engine, text, &[], &[]);
    let optimized = |name: &str| statistics.totals().optimized.contains(name);
    until(|| optimized("fa") && optimized("fb"), || check(&engine, "fa(18);", &[2_584.0], &[]));
}

/// No loop and no recursive cycle: each function calls the one before it twice.
#[test]
fn functions_with_many_calls_in_total_tier_up() {
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
fn a_handle_makes_a_function_count_its_calls() {
    let (engine, statistics) = tiered();
    check(&engine, "def f(x) x + 1; def g(x) f(x) + 1;", &[], &[]);
    for _ in 0..100 {
        check(&engine, "g(1) + g(2);", &[7.0], &[]);
    }
    assert!(statistics.totals().optimized.is_empty(), "no counter counts their calls");
    let f = engine.function::<(f64,)>("f").unwrap();
    until(|| statistics.totals().optimized.contains("f"), || assert_eq!(f.call((3.0,)).unwrap(), 4.0));
    check(&engine, "g(1) + g(2);", &[7.0], &[]);
}

#[test]
fn callees_that_are_not_inlined_tier_up() {
    let (engine, statistics) = tiered();
    let sum = "+ x".repeat(45);
    for k in 0..20 {
        check(&engine, &format!("def f{k}(x) {k} {sum};"), &[], &[]);
    }
    let calls: String = (0..20).map(|k| format!("+ f{k}(i)")).collect();
    check(&engine, &format!("def run(n) var s = 0 in (for i = 1, i < n in s = s {calls}) + s;"), &[], &[]);
    let is_optimized = || {
        let totals = statistics.totals();
        let optimized = totals.compiled.iter().filter(|compiled| compiled.tier == Tier::Optimized);
        let names: HashSet<_> = optimized
            .flat_map(|compiled| compiled.inlined.iter().cloned().chain([compiled.code.name.clone()]))
            .collect();
        (0..20).all(|k| names.contains(&*format!("f{k}")))
    };
    until(is_optimized, || assert_eq!(engine.run("run(100);").values().count(), 1));
    check(&engine, "run(2);", &[(1..=2).map(|i| 190.0 + 20.0 * 45.0 * f64::from(i)).sum()], &[]);
}

/// The operator between statements takes none of the inlining budget, however many there are. A
/// function that is called more often than the budget suffices for is inlined in part.
#[test]
fn long_functions_are_optimized_as_short_ones() {
    let (engine, statistics) = tiered();
    check(&engine, "def binary: 1 (a b) b; def large(x) x * 2 + x * 3 + x * 4 + x * 5 + x * 6;", &[], &[]);
    for n in [3, 115, 120, 400] {
        let statements = "(s = s + 1) : (s = large(s)) : ".repeat(n);
        let name = format!("f{n}");
        check(
            &engine,
            &format!("def {name}(n) var s in (for i = 0, i < n in {statements} 0) : s;"),
            &[],
            &[],
        );
        let inlined = || {
            let compiled = statistics.totals().compiled;
            let of_loop = compiled.iter().find(|it| *it.code.name == *name && it.osr_loop.is_some());
            of_loop.map(|it| it.inlined.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        until(
            || inlined().is_some(),
            || assert_eq!(engine.run(&format!("{name}(100);")).values().count(), 1),
        );
        assert_eq!(inlined().unwrap(), ["binary:", "large"], "{n} statements");
    }
}

/// Counts compilations of optimized code, and how often it was reclaimed.
#[derive(Clone, Default)]
struct OptimizedCode(Arc<[AtomicUsize; 2]>);

impl Observer for OptimizedCode {
    fn observe(&self, event: &Event) {
        match event {
            Event::Compiled { tier: Tier::Optimized, .. } => self.0[0].fetch_add(1, Ordering::SeqCst),
            Event::Reclaimed { tier: Tier::Optimized, .. } => self.0[1].fetch_add(1, Ordering::SeqCst),
            _ => 0,
        };
    }
}

#[test]
fn invalidated_code_is_reclaimed() {
    let balance = OptimizedCode::default();
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(LOW).compile_threads(2);
    let engine = builder.observer(balance.clone()).build().unwrap();
    check(&engine, "def g(x) x; def f(x) for i = 0, i < 20 in g(x);", &[], &[]);
    let f = engine.function::<(f64,)>("f").unwrap();
    let n_compiled = || balance.0[0].load(Ordering::SeqCst);
    for round in 1..10 {
        until(|| n_compiled() >= round, || assert_eq!(f.call((1.0,)).unwrap(), 0.0));
        check(&engine, "def g(x) x + 1;", &[], &[]);
    }
    // One call after the last redefinition reclaims the code that no thread is inside.
    f.call((1.0,)).unwrap();
    let [compiled, reclaimed] = [0, 1].map(|idx| balance.0[idx].load(Ordering::SeqCst));
    assert!(compiled - reclaimed <= 6, "{compiled} compiled, {reclaimed} reclaimed");
}

/// How often `caller` was optimized and invalidated.
#[derive(Default)]
struct CallerLog {
    n_optimized: AtomicUsize,
    n_invalidated: AtomicUsize,
}

impl Observer for CallerLog {
    fn observe(&self, event: &Event) {
        match event {
            Event::Compiled { code, tier: Tier::Optimized, .. } if &*code.name == "caller" => {
                self.n_optimized.fetch_add(1, Ordering::SeqCst);
            }
            Event::Invalidated { code, .. } if &*code.name == "caller" => {
                self.n_invalidated.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
    }
}

/// Each redefinition of `f` invalidates its optimized caller.
#[test]
fn tier_ups_and_invalidations_use_constant_memory() {
    const N_TIER_UPS: usize = 300;
    alone("tiers::tier_ups_and_invalidations_use_constant_memory", || {
        let seen = Arc::new(CallerLog::default());
        let builder = Engine::builder().mode(Mode::Tiered).thresholds(LOW);
        let builder = builder.optimization(Optimization::None).observer(Arc::clone(&seen));
        let engine = builder.build().unwrap();
        let [_, caller] = functions(&engine);
        let of = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        expect_constant_memory(N_TIER_UPS, |n| {
            engine.run(&format!("def f(x) x * x + {n}.25;")).ok().unwrap();
            assert_eq!(of(&seen.n_invalidated), n);
            let expected = 2.0 * (9.25 + n as f64);
            until(|| of(&seen.n_optimized) > n, || assert_eq!(caller.call((3.0,)).unwrap(), expected));
        });
    });
}
