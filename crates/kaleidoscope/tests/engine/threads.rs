//! One engine on several threads.

use crate::engine;
use kaleidoscope::{Engine, Event, Mode, Observer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

#[derive(Clone, Default)]
struct Compiled(Arc<Mutex<Vec<String>>>);

impl Observer for Compiled {
    fn observe(&self, event: &Event) {
        if let Event::Compiled { body, .. } = event
            && !body.is_expression()
        {
            self.0.lock().unwrap().push(body.name.to_string());
        }
    }
}

#[test]
fn racing_first_calls_compile_once() {
    let compiled = Compiled::default();
    let engine = Engine::builder().observer(compiled.clone()).build().unwrap();
    engine.run("def f(x) g(x) + 1; def g(x) x * 2;");
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
fn callers_see_one_version_or_another_while_one_redefines() {
    for mode in [Mode::Lazy, Mode::Off] {
        let engine = engine(mode);
        engine.run("def f(x) x + 1; def g(x) f(x) + sqrt(x * x);");
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
                engine.run(&format!("def f(x) x + {version};"));
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
