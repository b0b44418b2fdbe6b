//! Snapshots: definitions come back in one step, exactly, also under running callers.

use crate::{check, engine, until};
use kaleidoscope::{Engine, ErrorKind, Mode, Origin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

#[test]
fn all_names_mean_what_they_meant() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.register("h", |x: f64| x + 100.0).unwrap();
        let text =
            "def f(x) x + 1; def g(x) f(x) * 10; def binary| 5 (a b) a + b; g(1); 1 | 2; h(1); sqrt(16);";
        check(&engine, text, &[20.0, 3.0, 101.0, 4.0], &[]);
        let before = engine.snapshot();
        let text = "def f(x) x + 2; def binary| 90 (a b) a * b; def h(x) 0; def sqrt(x) 7; def new(x) x;
            def unary!(x) 1 - x; g(1); 2 + 3 | 4; h(1); sqrt(16); new(!0);";
        check(&engine, text, &[30.0, 14.0, 0.0, 7.0, 1.0], &[]);
        engine.restore(&before).unwrap();
        check(&engine, "g(1); 2 + 3 | 4; h(1); sqrt(16);", &[20.0, 9.0, 101.0, 4.0], &[]);
        check(&engine, "new(1); !0;", &[], &["KLS2002", "KLS1006"]);
        let Some(Origin::Program { version, .. }) = engine.function_info("f").map(|info| info.origin) else {
            panic!("it is the program's")
        };
        assert_eq!(version, 3, "each change begins a version");
        // Again, from another state.
        engine.remove("g").unwrap();
        engine.restore(&before).unwrap();
        check(&engine, "g(1);", &[20.0], &[]);
    }
}

#[test]
fn another_arity_and_another_closure_come_back() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.register("h", |x: f64| x + 1.0).unwrap();
        check(&engine, "def f(x) h(x); def user() f(1);", &[], &[]);
        let before = engine.snapshot();
        engine.register("h", |x: f64| x + 2.0).unwrap();
        check(&engine, "def f(x y) x + y; f(1, 2);", &[3.0], &[]);
        check(&engine, "user();", &[], &["KLS3002"]);
        engine.restore(&before).unwrap();
        check(&engine, "user(); h(1);", &[2.0, 2.0], &[]);
    }
}

#[test]
fn formulas_and_variables_stay() {
    let engine = Engine::new().unwrap();
    let before = engine.snapshot();
    check(&engine, "def f(x) x * 2;", &[], &[]);
    let formula = engine.formula("f(x) + 1", &["x"]).unwrap();
    engine.bind("t", &kaleidoscope::Variable::new(5.0)).unwrap();
    engine.restore(&before).unwrap();
    assert_eq!(formula.call(&[1.0]).unwrap_err().code().as_str(), "KLS3001");
    check(&engine, "t; def f(x) x * 3;", &[5.0], &[]);
    assert_eq!(formula.call(&[1.0]).unwrap(), 4.0);
}

#[test]
fn a_snapshot_is_of_one_engine() {
    let (engine, other) = (Engine::new().unwrap(), Engine::new().unwrap());
    let error = engine.restore(&other.snapshot()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OtherEngine);
}

#[test]
fn callers_on_another_thread_see_one_of_the_meanings() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(&engine, "def f() 11;", &[], &[]);
        let first = engine.snapshot();
        check(&engine, "def f() 22;", &[], &[]);
        let second = engine.snapshot();
        let (is_over, n_calls) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                let f = engine.function::<()>("f").unwrap();
                while !is_over.load(Ordering::Relaxed) {
                    let value = f.call(()).unwrap();
                    assert!(value == 11.0 || value == 22.0, "{mode:?}: {value}");
                    n_calls.fetch_add(1, Ordering::Relaxed);
                }
            });
            let restore = |snapshot, value| {
                engine.restore(snapshot).unwrap();
                // A call that begins now has the old meaning again.
                check(&engine, "f();", &[value], &[]);
            };
            let is_called = || n_calls.load(Ordering::Relaxed) > 200;
            until(is_called, || {
                restore(&first, 11.0);
                restore(&second, 22.0);
            });
            is_over.store(true, Ordering::Relaxed);
        });
    }
}
