//! Stale code: optimized code that is out of date when it is done, because a function that it
//! inlined was redefined meanwhile.

use crate::gated_backend::Gate;
use crate::{check, until};
use kaleidoscope::{Engine, Mode, Statistics, Thresholds};
use std::thread;
use std::time::Duration;

#[test]
fn stale_code_is_compiled_again_without_another_trip() {
    let (gate, statistics) = (Gate::default(), Statistics::new());
    let thresholds = Thresholds { calls: 5, back_edges: 10, delay: Duration::ZERO };
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(thresholds).compile_threads(1);
    let engine = builder.backend(gate.clone()).observer(statistics.clone()).build().unwrap();
    check(&engine, "def v(x) x + 1; def f(x) v(x);", &[], &[]);
    let f = engine.function::<(f64,)>("f").unwrap();
    until(|| gate.n_begun() == 1, || assert_eq!(f.call((1.0,)).unwrap(), 2.0));
    check(&engine, "def v(x) 1 + x;", &[], &[]);
    // Nothing runs from here on.
    gate.open();
    until(|| statistics.totals().optimized.contains("f"), thread::yield_now);
    assert_eq!(f.call((1.0,)).unwrap(), 2.0);
}

/// Code of the old version of a function itself is not wanted any more.
#[test]
fn stale_code_of_a_redefined_function_is_dropped() {
    let (gate, statistics) = (Gate::default(), Statistics::new());
    let thresholds = Thresholds { calls: 5, back_edges: 10, delay: Duration::ZERO };
    let builder = Engine::builder().mode(Mode::Tiered).thresholds(thresholds).compile_threads(1);
    let engine = builder.backend(gate.clone()).observer(statistics.clone()).build().unwrap();
    check(&engine, "def v(x) x + 1; def f(x) v(x); def g(x) v(x);", &[], &[]);
    let [f, g] = ["f", "g"].map(|name| engine.function::<(f64,)>(name).unwrap());
    until(|| gate.n_begun() == 1, || assert_eq!(f.call((1.0,)).unwrap(), 2.0));
    check(&engine, "def f(x) v(x) + 0; def v(x) 1 + x;", &[], &[]);
    gate.open();
    // One thread compiles one after the other, so the code of `f` is done before that of `g`.
    until(|| statistics.totals().optimized.contains("g"), || assert_eq!(g.call((1.0,)).unwrap(), 2.0));
    assert!(cfg!(feature = "stress") || gate.n_compiled() == 2, "f once, and g");
    assert!(!statistics.totals().optimized.contains("f"));
}
