//! Memory use is constant while functions and engines are created and dropped.

use kaleidoscope::{Builder, Engine, Function, Mode, Optimization, Thresholds};
use std::process::Command;
use std::time::Duration;

const N_DEFINITIONS: usize = 1_000;

/// The most memory in bytes that a definition may leak. Its name alone is larger.
const EACH: usize = 20;

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let n_pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    n_pages << 12
}

#[test]
fn redefinitions_in_lazy_mode_use_constant_memory() {
    let name = "memory::redefinitions_in_lazy_mode_use_constant_memory";
    alone(name, || redefine(Engine::builder().mode(Mode::Lazy)));
}

/// The caller becomes hot after every few hundred redefinitions, and is optimized again.
#[test]
fn redefinitions_in_tiered_mode_use_constant_memory() {
    let name = "memory::redefinitions_in_tiered_mode_use_constant_memory";
    let thresholds = Thresholds { calls: 100, delay: Duration::ZERO, ..Thresholds::default() };
    alone(name, || redefine(Engine::builder().mode(Mode::Tiered).thresholds(thresholds)));
}

/// Two threads, each with its own engines: a thousand in each round.
#[test]
fn creating_and_dropping_engines_uses_constant_memory() {
    alone("memory::creating_and_dropping_engines_uses_constant_memory", || {
        expect_constant_memory(250, |n| {
            std::thread::scope(|scope| {
                for thread in 0..2 {
                    scope.spawn(move || use_engine(f64::from(thread) + n as f64));
                }
            });
        });
    });
}

/// Creates an engine and uses each of its features once.
fn use_engine(x: f64) {
    let engine = Engine::builder().register("half", |x: f64| x / 2.0).build().unwrap();
    engine.prelude().unwrap();
    engine.run("def f(x) -half(x) + 1;").ok().unwrap();
    let [f, _] = functions(&engine);
    let formula = engine.formula("f(x) * 2", &["x"]).unwrap();
    assert_eq!((f.call((x,)).unwrap(), formula.call(&[x]).unwrap()), (x, 2.0 * x));
    assert_eq!(engine.fork().unwrap().run("caller(3);").values().next(), Some(6.0));
}

/// Runs the test of this name again in a process of its own, because the memory of a process is
/// that of all tests that run in it.
pub(crate) fn alone(name: &str, test: impl FnOnce()) {
    const ALONE: &str = "KALEIDOSCOPE_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return test();
    }
    let itself = std::env::current_exe().unwrap();
    let mut again = Command::new(itself);
    let again = test_process::output(again.args(["--exact", name]).env(ALONE, "1"), b"");
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
}

/// Expects a round that needs no memory, after a first round. An allocator takes some pages now and
/// then, while a leak grows in every round.
pub(crate) fn expect_constant_memory(n_each: usize, mut repeat: impl FnMut(usize)) {
    let mut grown = Vec::new();
    for stretch in 0..9 {
        let before = resident();
        for n in stretch * n_each..(stretch + 1) * n_each {
            repeat(n);
        }
        grown.push(resident().saturating_sub(before));
        if stretch > 0 && grown[stretch] < n_each * EACH {
            return;
        }
    }
    panic!("bytes more after each {n_each} turns: {grown:?}");
}

fn redefine(builder: Builder) {
    let engine = builder.optimization(Optimization::None).build().unwrap();
    let [f, caller] = functions(&engine);
    expect_constant_memory(N_DEFINITIONS, |n| {
        engine.run(&format!("def f(x) x * x + {n}.25;")).ok().unwrap();
        let expected = 9.25 + n as f64;
        assert_eq!(f.call((3.0,)).unwrap(), expected);
        assert_eq!(caller.call((3.0,)).unwrap(), 2.0 * expected);
    });
}

/// `f`, and `caller`, which calls it and is compiled.
pub(crate) fn functions(engine: &Engine) -> [Function<(f64,)>; 2] {
    engine.run("def f(x) x; def caller(x) f(x) * 2; caller(1);").ok().unwrap();
    ["f", "caller"].map(|name| engine.function(name).unwrap())
}
