//! Host variables: programs read and assign them, in every mode.

use crate::{check, engine, until};
use kaleidoscope::{Engine, ErrorKind, Mode, Variable};
use std::thread;

/// An engine with a variable `t` of this value.
fn with_t(mode: Mode, value: f64) -> (Engine, Variable) {
    let engine = engine(mode);
    let t = Variable::new(value);
    engine.bind("t", &t).unwrap();
    (engine, t)
}

#[test]
fn variables_are_shared_between_threads() {
    fn expect_shared<T: Clone + Send + Sync + Default>() {}
    expect_shared::<Variable>();
}

#[test]
fn programs_read_and_assign_host_variables() {
    for &mode in Mode::ALL {
        let (engine, t) = with_t(mode, 2.0);
        check(
            &engine,
            "t; t = t + 1; def f(x) t = t * x; f(10); f(2); t;",
            &[2.0, 3.0, 30.0, 60.0, 60.0],
            &[],
        );
        assert_eq!(t.get(), 60.0);
        t.set(-0.5);
        check(&engine, "t; f(3); t < 0;", &[-0.5, -1.5, 1.0], &[]);
        assert_eq!(engine.variable("t").unwrap().get(), -1.5);
        assert!(engine.variable("u").is_none());
    }
}

#[test]
fn reads_and_assignments_happen_in_text_order() {
    for &mode in Mode::ALL {
        let (engine, t) = with_t(mode, 1.0);
        let text = "def set(x) t = x; def f(x) t + (t = x) * t + set(7) * t + (if t < 10 then t = 100 else t = 200) + t;
            f(3); f(3);";
        // t, then 3 * 3, then 7 * 7, then 100 and what it is by then.
        let once = |before: f64| before + 9.0 + 49.0 + 100.0 + 100.0;
        check(&engine, text, &[once(1.0), once(100.0)], &[]);
        // Both operands are evaluated before the call.
        check(
            &engine,
            "def pair(a b) a * 10 + b; def g() pair(t = 1, t = t + 1) + t; g(); g();",
            &[14.0, 14.0],
            &[],
        );
        assert_eq!(t.get(), 2.0);
    }
}

#[test]
fn parameters_and_local_variables_hide_host_variables() {
    for &mode in Mode::ALL {
        let (engine, t) = with_t(mode, 5.0);
        let text =
            "def f(t) t = t + 1; def g(x) (var t = x in t = t * 2) + t; def h(n) for t = 0, t < n in 0;
            def own(x) var t = t in t = t + x;";
        check(&engine, text, &[], &[]);
        for _ in 0..2 {
            check(
                &engine,
                "f(1); g(1); h(3); own(2); (var t = 8 in t) + t;",
                &[2.0, 7.0, 0.0, 7.0, 13.0],
                &[],
            );
        }
        assert_eq!(t.get(), 5.0);
        // Functions have names of their own.
        check(&engine, "def t(x) x + t; t(t); t(t);", &[10.0, 10.0], &[]);
    }
}

#[test]
fn loops_and_tail_calls_use_host_variables() {
    for &mode in Mode::ALL {
        let (engine, t) = with_t(mode, 0.0);
        check(
            &engine,
            "def sum(n) (for i = 1, i < n in t = t + i) + t; sum(100); sum(10);",
            &[5050.0, 5105.0],
            &[],
        );
        t.set(1.0);
        check(
            &engine,
            "def down(n) if n < 1 then t else down(n - (t = t + 0) * t); down(1000);",
            &[1.0],
            &[],
        );
        t.set(4.0);
        // The bound is read in each iteration.
        check(
            &engine,
            "def until() var n = 0 in (for i = 0, i < t in (n = n + 1) + (t = t - 1)) + n; until();",
            &[3.0],
            &[],
        );
        assert_eq!(t.get(), 1.0);
    }
}

#[test]
fn binding_a_name_again_affects_later_text_only() {
    for &mode in Mode::ALL {
        let (engine, first) = with_t(mode, 1.0);
        check(&engine, "def f() t; f(); f();", &[1.0, 1.0], &[]);
        let second = Variable::new(2.0);
        engine.bind("t", &second).unwrap();
        check(&engine, "f(); t; def g() t = t + 10; g(); g(); f();", &[1.0, 2.0, 12.0, 22.0, 1.0], &[]);
        assert_eq!((first.get(), second.get()), (1.0, 22.0));
        first.set(7.0);
        engine.bind("t", &first).unwrap();
        check(&engine, "t; f(); g();", &[7.0, 7.0, 32.0], &[]);
        // The engine keeps a variable that the host dropped.
        drop(second);
        check(&engine, "g(); def f() t; f();", &[42.0, 7.0], &[]);
    }
}

#[test]
fn one_variable_has_several_names_and_engines() {
    let shared = Variable::new(1.0);
    let engines: Vec<_> = Mode::ALL
        .iter()
        .map(|&mode| Engine::builder().mode(mode).bind("a", &shared).build().unwrap())
        .collect();
    for engine in &engines {
        engine.bind("b", &shared.clone()).unwrap();
        check(engine, "def double(x) (a = b * x) + b * 0; ", &[], &[]);
    }
    let mut expected = 1.0;
    for engine in engines.iter().chain(&engines) {
        expected *= 2.0;
        check(engine, "double(2); a - b;", &[expected, 0.0], &[]);
    }
    assert_eq!(shared.get(), expected);
}

#[test]
fn names_are_checked() {
    let engine = engine(Mode::Off);
    for name in ["", "def", "1t", "t u", "t$", "unary!"] {
        let error = engine.bind(name, &Variable::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{name:?}");
        let error = Engine::builder().bind(name, &Variable::default()).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{name:?}");
    }
    let outcome = engine.run("speed;");
    assert_eq!(outcome.diagnostics().next().unwrap().hint, None);
    engine.bind("sped", &Variable::default()).unwrap();
    let outcome = engine.run("speed;");
    assert_eq!(outcome.diagnostics().next().unwrap().hint.as_deref(), Some("there is one named `sped`"));
}

#[test]
fn a_formula_uses_host_variables() {
    for &mode in Mode::ALL {
        let (engine, t) = with_t(mode, 3.0);
        let formula = engine.formula("x * t + (t = t + 1)", &["x"]).unwrap();
        assert_eq!(formula.call(&[2.0]).unwrap(), 10.0);
        assert_eq!(formula.call(&[2.0]).unwrap(), 13.0);
        assert_eq!(t.get(), 5.0);
        let hidden = engine.formula("t + 1", &["t"]).unwrap();
        assert_eq!(hidden.call(&[1.0]).unwrap(), 2.0);
    }
}

#[test]
fn a_fork_shares_host_variables_until_a_name_is_bound_again() {
    for &mode in Mode::ALL {
        let (engine, t) = with_t(mode, 1.0);
        check(&engine, "def f() t = t + 1; f();", &[2.0], &[]);
        let fork = engine.fork().unwrap();
        check(&fork, "f(); f(); t;", &[3.0, 4.0, 4.0], &[]);
        check(&engine, "f(); t;", &[5.0, 5.0], &[]);
        let other = Variable::new(100.0);
        fork.bind("t", &other).unwrap();
        check(&fork, "t; f(); def f() t = t + 1; f();", &[100.0, 6.0, 101.0], &[]);
        check(&engine, "t; f();", &[6.0, 7.0], &[]);
        assert_eq!((t.get(), other.get()), (7.0, 101.0));
    }
}

/// Row by row, as with single calls.
#[test]
fn rows_use_host_variables_in_order() {
    const N: usize = 3_000;
    for &mode in Mode::ALL {
        let (engine, t) = with_t(mode, 0.0);
        check(&engine, "def f(x) (t = t + x) * 2;", &[], &[]);
        let f = engine.function::<(f64,)>("f").unwrap();
        let (column, mut out) = ([1.0; N], [0.0; N]);
        for round in 0..3 {
            f.map(&[&column], &mut out).unwrap();
            let first = (N * round) as f64;
            assert!(
                out.iter().enumerate().all(|(row, out)| *out == 2.0 * (first + row as f64 + 1.0)),
                "{mode:?}"
            );
        }
        assert_eq!(t.get(), 3.0 * N as f64);
    }
}

#[test]
fn a_batch_reads_values_set_before_it() {
    for &mode in Mode::ALL {
        let (engine, t) = with_t(mode, 2.0);
        let formula = engine.formula("x * t + t", &["x"]).unwrap();
        let column: Vec<_> = (0..2_000).map(f64::from).collect();
        let mut out = vec![0.0; column.len()];
        for value in [2.0, -0.5, f64::INFINITY] {
            t.set(value);
            formula.map(&[&column], &mut out).unwrap();
            for (x, out) in column.iter().zip(&out) {
                let expected = x * value + value;
                assert!(*out == expected || out.is_nan() && expected.is_nan(), "{mode:?}: {x} {out}");
            }
        }
    }
}

/// All bits, except those of a NaN.
#[test]
fn every_value_is_preserved() {
    let values = [0.0, -0.0, 5e-324, -f64::MAX, f64::INFINITY, f64::NEG_INFINITY, 0.1];
    for &mode in Mode::ALL {
        let (engine, t) = with_t(mode, 0.0);
        let u = Variable::new(1.0);
        engine.bind("u", &u).unwrap();
        check(&engine, "def move() u = t; move(); move();", &[0.0, 0.0], &[]);
        let copy = engine.function::<()>("move").unwrap();
        for value in values {
            t.set(value);
            assert_eq!(copy.call(()).unwrap().to_bits(), value.to_bits(), "{mode:?}");
            assert_eq!(u.get().to_bits(), value.to_bits(), "{mode:?}");
        }
        t.set(f64::NAN);
        assert!(copy.call(()).unwrap().is_nan() && u.get().is_nan(), "{mode:?}");
    }
}

/// Loops on two threads wait for each other: each must read the variable in every iteration.
#[test]
fn a_waiting_loop_sees_assignments_of_another_thread() {
    for &mode in Mode::ALL {
        let (engine, t) = with_t(mode, 0.0);
        let text = "def binary: 1 (a b) b; def differ(a b) if a < b then 1 else b < a;
            def wait(x) for i = 0, differ(t, x) in 0;
            def ping(n) for i = 0, i < n in wait(2 * i) : (t = 2 * i + 1);
            def pong(n) for i = 0, i < n in wait(2 * i + 1) : (t = 2 * i + 2);";
        check(&engine, text, &[], &[]);
        let n_rounds = 20.0;
        let other = engine.clone();
        let pong =
            thread::spawn(move || other.function::<(f64,)>("pong").unwrap().call((n_rounds,)).unwrap());
        assert_eq!(engine.function::<(f64,)>("ping").unwrap().call((n_rounds,)).unwrap(), 0.0);
        assert_eq!(pong.join().unwrap(), 0.0);
        assert_eq!(t.get(), 2.0 * n_rounds + 2.0);
    }
}

/// The loop only reads the variable.
#[test]
fn the_host_ends_a_loop() {
    for &mode in Mode::ALL {
        let (engine, t) = with_t(mode, 1.0);
        check(&engine, "def spin() for i = 0, t in 0; def start() (t = 2) + spin();", &[], &[]);
        let start = engine.function::<()>("start").unwrap();
        let running = thread::spawn(move || start.call(()));
        until(|| t.get() == 2.0, thread::yield_now);
        t.set(0.0);
        assert_eq!(running.join().unwrap().unwrap(), 2.0, "{mode:?}");
    }
}

#[cfg(feature = "llvm")]
mod tier_up {
    use super::*;
    use kaleidoscope::{Statistics, Thresholds};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn tiered(t: &Variable) -> (Engine, Statistics) {
        let statistics = Statistics::new();
        let builder = Engine::builder()
            .thresholds(Thresholds { calls: 5, back_edges: 10, delay: std::time::Duration::ZERO })
            .compile_threads(1);
        (builder.observer(statistics.clone()).bind("t", t).build().unwrap(), statistics)
    }

    /// In optimized code of a function, in an inlined function, and in OSR code.
    #[test]
    fn optimized_code_uses_host_variables() {
        let t = Variable::new(0.0);
        let (engine, statistics) = tiered(&t);
        let text = "def step(x) t = t + x; def f(n) (for i = 1, i < n in step(i) + (t = t - 1)) + t;";
        check(&engine, text, &[], &[]);
        let f = engine.function::<(f64,)>("f").unwrap();
        let mut expected = 0.0;
        let mut call = || {
            expected += 45.0;
            assert_eq!(f.call((10.0,)).unwrap(), expected);
            assert_eq!(t.get(), expected);
        };
        until(|| statistics.totals().optimized.contains("f"), &mut call);
        call();
        call();
        // A running loop that continues in OSR code.
        let has_osr_code = || {
            statistics
                .totals()
                .compiled
                .iter()
                .any(|compiled| compiled.osr_loop == Some(0) && &*compiled.code.name == "g")
        };
        check(&engine, "def g(n) var s = 0 in (for i = 1, i < n in s = s + (t = i)) + s;", &[], &[]);
        until(has_osr_code, || {
            check(&engine, "g(20000);", &[200_010_000.0], &[]);
            assert_eq!(t.get(), 20_000.0);
        });
        // If the name is bound again, existing code keeps its variable.
        let other = Variable::new(0.0);
        engine.bind("t", &other).unwrap();
        check(&engine, "g(50); t;", &[1275.0, 0.0], &[]);
        assert_eq!(t.get(), 50.0);
    }

    /// Optimized code also reads the variable in every iteration.
    #[test]
    fn the_host_ends_a_loop_in_optimized_code() {
        let t = Variable::new(1.0);
        let (engine, statistics) = tiered(&t);
        check(&engine, "def spin() for i = 0, t in 0;", &[], &[]);
        let spin = engine.function::<()>("spin").unwrap();
        let is_done = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&is_done);
        let running = thread::spawn(move || {
            let result = spin.call(());
            done.store(true, Ordering::SeqCst);
            result
        });
        until(
            || statistics.totals().compiled.iter().any(|compiled| compiled.osr_loop == Some(0)),
            || {
                assert!(!is_done.load(Ordering::SeqCst));
                thread::yield_now();
            },
        );
        t.set(0.0);
        assert_eq!(running.join().unwrap().unwrap(), 0.0);
        // All of it in optimized code, in a new call.
        let spin = engine.function::<()>("spin").unwrap();
        let call = || assert_eq!(spin.call(()).unwrap(), 0.0);
        until(|| statistics.totals().optimized.contains("spin"), call);
        t.set(1.0);
        let spin = engine.function::<()>("spin").unwrap();
        let running = thread::spawn(move || spin.call(()));
        t.set(0.0);
        assert_eq!(running.join().unwrap().unwrap(), 0.0);
    }
}
