//! Calls of maths functions with constant arguments are made once when code is made. Redefinitions
//! undo it.

use crate::{check, engine};
use kaleidoscope::{Engine, Mode, OutputBuffer, Thresholds};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Expressions whose value is a constant, or has one inside.
const EXPRESSIONS: &[&str] = &[
    "sin(pi / 4)",
    "sqrt(2) * x",
    "log(10) + ln(10) + x",
    "2 ^ 0.5 + x ^ 0.5 + 10 ** -3",
    "atan2(1, 2) * hypot(3, 4) + x",
    "exp(sin(cos(0.3))) - x",
    "tgamma(-0.5) + erf(0.1)",
    "fmod(7, 0) + x",
    "pow(0 / 0, 0) + x",
    "max(sin(1), cos(1), x) + clamp(exp(1), 0, x)",
    "sin(x) + sin(1) + sin(0.5 + 0.5) + sin(-1)",
    "if x < 2 then sin(2) else cos(2)",
    "(var a = 2, b = 0 in for i = 0, i < 5 in b = b + sin(a) + sin(2) * x + cos(1)) + x",
];

fn tiered(mode: Mode) -> Engine {
    let thresholds = Thresholds { calls: 0, back_edges: 0, delay: Duration::ZERO };
    let builder = Engine::builder().mode(mode).thresholds(thresholds).output(OutputBuffer::default());
    builder.prelude().build().unwrap()
}

#[test]
fn every_mode_gives_the_same_bits() {
    let oracle = tiered(Mode::Off);
    for &mode in Mode::ALL {
        let engine = tiered(mode);
        for text in EXPRESSIONS {
            let value = oracle.formula(text, &["x"]).unwrap().call(&[1.7]).unwrap();
            let formula = engine.formula(text, &["x"]).unwrap();
            for _ in 0..50 {
                let got = formula.call(&[1.7]).unwrap();
                assert!(got.to_bits() == value.to_bits() || got.is_nan() && value.is_nan(), "{text}");
            }
            let (xs, mut out) = ([1.7; 9], [0.0; 9]);
            formula.function().map(&[&xs], &mut out).unwrap();
            let is_same = |out: &f64| out.to_bits() == value.to_bits() || out.is_nan() && value.is_nan();
            assert!(out.iter().all(is_same), "{text} as a batch");
        }
    }
}

#[test]
fn a_redefinition_undoes_it() {
    for &mode in Mode::ALL {
        let engine = tiered(mode);
        let text = "def f(x) sin(0) + x; def g(x) for i = 0, i < 9 in f(x); g(1); g(1); f(1); f(1);
            def sin(x) x + 42; f(1); g(1); f(1);
            def sin(x y) x; f(1); def sin(x) 7; f(1);
            def cos(x) 5; def h(x) cos(0) + x; h(1); h(1);";
        check(&engine, text, &[0.0, 0.0, 1.0, 1.0, 43.0, 0.0, 43.0, 8.0, 6.0, 6.0], &["KLS3002"]);
        // The operator is C's `pow`, whatever `pow` is.
        check(&engine, "def pow(x y) 7; def p() 2 ^ 0.5 * 2 ^ 0.5 < 2.1; p(); p();", &[1.0, 1.0], &[]);
    }
}

/// The code that is running when a function is replaced uses its new meaning from the next call on.
#[test]
fn a_redefinition_holds_in_code_that_is_running() {
    for &mode in Mode::ALL {
        let engine = tiered(mode);
        let handle: Arc<Mutex<Option<Engine>>> = Arc::new(Mutex::new(None));
        let of_host = Arc::clone(&handle);
        let change = move |x: f64| {
            if x == 3.0
                && let Some(engine) = of_host.lock().unwrap().clone()
            {
                engine.run("def cos(x) x + 100; def atan2(a b) a * 1000 + b;").ok().unwrap();
            }
            0.0
        };
        engine.register("change", change).unwrap();
        let text = "def straight(x) cos(0) + change(x) + cos(0) + atan2(0, 1) + cos(1 - 1);
            def looping(x) var sum = 0 in
                (for i = 1, i < x in (sum = sum + cos(0) : change(i) : sum = sum + cos(0))) : sum;";
        engine.run(text).ok().unwrap();
        for _ in 0..30 {
            check(&engine, "straight(1); looping(2);", &[3.0, 4.0], &[]);
        }
        *handle.lock().unwrap() = Some(engine.clone());
        check(&engine, "straight(3);", &[1.0 + 100.0 + 1.0 + 100.0], &[]);
        *handle.lock().unwrap() = None;

        let engine = tiered(mode);
        let of_host = Arc::clone(&handle);
        let change = move |x: f64| {
            if x == 3.0
                && let Some(engine) = of_host.lock().unwrap().clone()
            {
                engine.run("def cos(x) x + 100;").ok().unwrap();
            }
            0.0
        };
        engine.register("change", change).unwrap();
        engine.run(text).ok().unwrap();
        for _ in 0..30 {
            check(&engine, "looping(2);", &[4.0], &[]);
        }
        *handle.lock().unwrap() = Some(engine.clone());
        check(&engine, "looping(4);", &[5.0 + 100.0 + 200.0], &[]);
        *handle.lock().unwrap() = None;
    }
}

#[test]
fn an_engine_without_the_prelude_does_it_too() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(&engine, "def f(x) x * cos(0 / 1) + 4 ^ 0.5; f(3); f(3); f(3);", &[5.0, 5.0, 5.0], &[]);
    }
}

/// A listing shows the code that is compiled.
#[cfg(feature = "llvm")]
#[test]
fn a_listing_has_no_call() {
    let engine = Engine::new().unwrap();
    let mut script = engine.script("listed");
    script.push("def f(x) sin(1 / 4) * x + cos(x)");
    script.finish();
    let read = script.read_next().unwrap();
    let listed = engine.list(&read.item.unwrap(), kaleidoscope::Listing::Llvm).unwrap().unwrap();
    assert!(listed.contains("cos") && !listed.contains("sin"), "{listed}");
}
