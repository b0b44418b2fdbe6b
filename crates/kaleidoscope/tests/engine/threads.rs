//! One engine on several threads.

use crate::engine;
use kaleidoscope::{Engine, Event, Mode, Observer};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Clone, Default)]
struct Compiled(Arc<Mutex<Vec<String>>>);

impl Observer for Compiled {
    fn observe(&self, event: &Event) {
        if let Event::Compiled { code, .. } = event
            && !code.is_expression()
        {
            self.0.lock().unwrap().push(code.name.to_string());
        }
    }
}

#[test]
fn racing_first_calls_compile_once() {
    let compiled = Compiled::default();
    let engine = Engine::builder().observer(compiled.clone()).build().unwrap();
    engine.run("def f(x) g(x) + 1; def g(x) x * 2;").ok().unwrap();
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for n in 0..8 {
            let (engine, start) = (&engine, &start);
            scope.spawn(move || {
                start.wait();
                let outcome = engine.run(&format!("f({n});"));
                assert_eq!(outcome.values().collect::<Vec<_>>(), [f64::from(n) * 2.0 + 1.0]);
            });
        }
    });
    let mut names = compiled.0.lock().unwrap().clone();
    names.sort();
    assert_eq!(names, ["f", "g"]);
}

#[test]
fn callers_run_one_version_during_redefinitions() {
    for mode in [Mode::Lazy, Mode::Off] {
        let engine = engine(mode);
        engine.run("def f(x) x + 1; def g(x) f(x) + sqrt(x * x);").ok().unwrap();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let outcome = engine.run("g(1);");
                        let values: Vec<_> = outcome.values().collect();
                        let is_a_version = matches!(values[..], [value] if (3.0..=33.0).contains(&value) && value.fract() == 0.0);
                        assert!(is_a_version, "{:?}", outcome.items);
                    }
                });
            }
            for version in 1..=30 {
                engine.run(&format!("def f(x) x + {version};")).ok().unwrap();
                let value = engine.run("g(1);").values().next();
                assert_eq!(
                    value,
                    Some(f64::from(version) + 2.0),
                    "the thread that defines sees its definition"
                );
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}

/// Eight threads call two hundred functions while another one redefines them. Each call runs a
/// version that was current at some time during the call. Beside busy processes the callers take
/// most of the time from the thread that defines, so the test has a budget of time, too.
#[test]
fn every_call_runs_a_version_that_was_current() {
    const N_FUNCTIONS: usize = 200;
    const N_DEFINITIONS: usize = 600;
    const BUDGET: Duration = Duration::from_secs(3);
    let engine = engine(Mode::Lazy);
    let define = |function: usize, version: u64| {
        let text = format!("def g{function}(x) x + {version} * 1000 + {function};");
        assert!(!engine.run(&text).items[0].is_error());
    };
    let begun: Vec<AtomicU64> = (0..N_FUNCTIONS).map(|_| AtomicU64::new(1)).collect();
    let ended: Vec<AtomicU64> = (0..N_FUNCTIONS).map(|_| AtomicU64::new(1)).collect();
    (0..N_FUNCTIONS).for_each(|function| define(function, 1));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for caller in 0..8 {
            let (engine, begun, ended, done) = (&engine, &begun, &ended, &done);
            scope.spawn(move || {
                let mut function = caller;
                while !done.load(Ordering::Relaxed) {
                    function = (function * 7 + 13) % N_FUNCTIONS;
                    let oldest = ended[function].load(Ordering::SeqCst);
                    let value = engine.run(&format!("g{function}(0);")).values().next().unwrap();
                    let newest = begun[function].load(Ordering::SeqCst);
                    let (version, id) = (value as u64 / 1000, value as usize % 1000);
                    assert_eq!(id, function);
                    assert!(
                        (oldest..=newest).contains(&version),
                        "version {version} is none of {oldest} to {newest}"
                    );
                }
            });
        }
        let began = Instant::now();
        for n in (0..N_DEFINITIONS).take_while(|_| began.elapsed() < BUDGET) {
            let function = n * 31 % N_FUNCTIONS;
            let version = begun[function].fetch_add(1, Ordering::SeqCst) + 1;
            define(function, version);
            ended[function].store(version, Ordering::SeqCst);
            let value = engine.run(&format!("g{function}(0);")).values().next();
            assert_eq!(value, Some((version * 1000) as f64 + function as f64));
        }
        done.store(true, Ordering::Relaxed);
    });
}
