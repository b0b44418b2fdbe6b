//! Formulas: definition, calls, redefinition of what they call, reclaiming.

use crate::memory::{alone, expect_constant_memory};
use crate::{check, engine};
use kaleidoscope::{Color, DiagnosticCode, Engine, ErrorKind, Formula, Mode, Statistics};
use std::thread;
use std::time::Duration;

fn formula(engine: &Engine, text: &str, parameters: &[&str]) -> Formula {
    engine.formula(text, parameters).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_formula_takes_its_parameters_in_order() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let f = formula(&engine, "b / a + unused * 0", &["a", "b", "unused"]);
        assert_eq!(f.call(&[4.0, 2.0, 1.0]).unwrap(), 0.5);
        assert_eq!(f.typed::<(f64, f64, f64)>().unwrap().call((8.0, 2.0, 1.0)).unwrap(), 0.25);
        assert_eq!(f.typed::<(f64,)>().unwrap_err().kind(), ErrorKind::WrongArity);
        let error = f.call(&[1.0]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::WrongArgumentCount);
        assert_eq!(error.to_string(), "the formula takes 3 arguments, not 1");
        assert_eq!(f.parameters().collect::<Vec<_>>(), ["a", "b", "unused"]);
        assert_eq!((f.text(), f.function().arity()), ("b / a + unused * 0", 3));
        assert_eq!(formula(&engine, "6 * 7", &[]).call(&[]).unwrap(), 42.0);

        let names: Vec<String> = (0..20).map(|n| format!("p{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let wide = formula(&engine, "p0 - p19", &names);
        let args: Vec<f64> = (0..20).map(f64::from).collect();
        assert_eq!(wide.call(&args).unwrap(), -19.0);
        assert_eq!(engine.enter(|scope| scope.call_dyn(wide.function(), &args)).unwrap(), -19.0);
    }
}

#[test]
fn a_formula_calls_current_definitions() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(&engine, "def f(x) x + 1; def binary% 30 (a b) a * 10 + b;", &[], &[]);
        let uses = formula(&engine, "f(x) % 3", &["x"]);
        assert_eq!(uses.call(&[1.0]).unwrap(), 23.0);
        check(&engine, "def f(x) x + 2;", &[], &[]);
        assert_eq!(uses.call(&[1.0]).unwrap(), 33.0);
        // Two formulas are independent.
        let other = formula(&engine, "x * 2", &["x"]);
        assert_eq!((uses.call(&[1.0]).unwrap(), other.call(&[1.0]).unwrap()), (33.0, 2.0));
    }
}

#[test]
fn a_wrong_formula_is_reported_and_leaves_nothing() {
    let engine = engine(Mode::default());
    let error = engine.formula("1 +\n  f(y)", &["x"]).unwrap_err();
    let codes: Vec<_> = error.diagnostics().iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [DiagnosticCode::UnknownFunction, DiagnosticCode::UnknownVariable]);
    assert_eq!(error.to_string(), "there is no function `f`");
    let text = error.render(Color::Never);
    assert!(text.contains("formula:2:3"), "{text}");
    assert_eq!(
        engine.formula("def f(x) x", &[]).unwrap_err().diagnostics()[0].code,
        DiagnosticCode::ExpectedExpression
    );
    check(&engine, "f(1);", &[], &["KLS2002"]);

    let engine = Engine::builder().max_item_bytes(10).max_functions(2).build().unwrap();
    assert_eq!(
        engine.formula("1+1+1+1+1+1", &[]).unwrap_err().diagnostics()[0].code,
        DiagnosticCode::ItemTooLong
    );
    let kept = [formula(&engine, "1", &[]), formula(&engine, "2", &[])];
    assert_eq!(engine.formula("3", &[]).unwrap_err().diagnostics()[0].code, DiagnosticCode::TooManyFunctions);
    drop(kept);
    assert_eq!(formula(&engine, "3", &[]).call(&[]).unwrap(), 3.0);
}

#[test]
fn a_formula_may_have_warnings() {
    let engine = engine(Mode::default());
    let doubtful = formula(&engine, "x + 1e999", &["x"]);
    assert_eq!(doubtful.warnings()[0].code, DiagnosticCode::NumberOutOfRange);
    assert!(doubtful.call(&[1.0]).unwrap().is_infinite());
}

#[test]
fn a_formula_lives_as_long_as_a_handle() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let one = formula(&engine, "x + 1", &["x"]).typed::<(f64,)>().unwrap();
        let two = formula(&engine, "x + 2", &["x"]).within(Duration::from_secs(60)).function().clone();
        let three = formula(&engine, "x + 3", &["x"]);
        drop(three);
        // It reuses the id of the third.
        let four = formula(&engine, "x + 4", &["x"]);
        let results = (one.call((10.0,)).unwrap(), two.call(&[10.0]).unwrap(), four.call(&[10.0]).unwrap());
        assert_eq!(results, (11.0, 12.0, 14.0), "{mode:?}");
    }
}

#[test]
fn threads_define_and_drop_formulas() {
    let engine = engine(Mode::default());
    thread::scope(|scope| {
        for seed in 0..4 {
            let engine = &engine;
            scope.spawn(move || {
                for n in 0..200 {
                    let expected = f64::from(seed * 1000 + n);
                    let f = formula(engine, &format!("x + {expected}"), &["x"]);
                    assert_eq!(f.call(&[0.0]).unwrap(), expected);
                    assert_eq!(f.call(&[1.0]).unwrap(), expected + 1.0);
                }
            });
        }
    });
}

#[test]
fn the_time_limit_ends_an_endless_formula() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let endless = formula(&engine, "for i = 0, 1 in x", &["x"]);
        let error = endless.within(Duration::from_millis(20)).call(&[1.0]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::TimedOut, "{mode:?}");
    }
}

#[test]
fn defining_and_dropping_formulas_uses_constant_memory() {
    alone("formulas::defining_and_dropping_formulas_uses_constant_memory", || {
        let engine = engine(Mode::default());
        expect_constant_memory(1_000, |n| {
            let f = formula(&engine, &format!("sin(x) * {n} + y"), &["x", "y"]);
            assert_eq!(f.call(&[0.0, 1.0]).unwrap(), 1.0);
            assert_eq!(f.call(&[0.0, 2.0]).unwrap(), 2.0);
            let both = engine.formulas(&["x * 2", "y + 1"], &["x", "y"]).unwrap();
            let mut results = [0.0; 2];
            both.call(&[1.0, 2.0], &mut results).unwrap();
            assert_eq!(results, [2.0, 3.0]);
        });
    });
}

/// As a single call, a call in a scope runs in the interpreter the first time.
#[test]
fn the_first_call_in_a_scope_needs_no_code() {
    for mode in [Mode::Tiered, Mode::Baseline] {
        let statistics = Statistics::new();
        let engine = Engine::builder().mode(mode).observer(statistics.clone()).build().unwrap();
        engine.run("def half(x) x / 2; def fails(x) missing(x);").ok().unwrap();
        let sum = formula(&engine, "half(x) + half(y) + half(x)", &["x", "y"]);
        let fails = engine.function::<(f64,)>("fails").unwrap();
        let n_compiled = || statistics.totals().compiled.len();
        engine
            .enter(|scope| {
                assert_eq!(scope.call_dyn(sum.function(), &[1.0, 4.0])?, 3.0);
                // Only the callee, which was called three times.
                assert_eq!(n_compiled(), 1);
                assert_eq!(scope.call_dyn(sum.function(), &[3.0, 4.0])?, 5.0);
                assert_eq!(n_compiled(), 2);
                for _ in 0..3 {
                    assert_eq!(
                        scope.call(&fails, (1.0,)).unwrap_err().code(),
                        DiagnosticCode::UndefinedCalled
                    );
                }
                Ok(())
            })
            .unwrap();
        let stopped = formula(&engine, "x + 1", &["x"]);
        let interrupter = engine.interrupter();
        let result = engine.enter(|scope| {
            interrupter.interrupt();
            scope.call_dyn(stopped.function(), &[1.0])
        });
        assert_eq!(result.unwrap_err().code(), DiagnosticCode::Interrupted);
        assert_eq!(stopped.call(&[1.0]).unwrap(), 2.0);
    }
}

#[test]
fn statistics_do_not_count_formulas_as_definitions() {
    let statistics = std::sync::Arc::new(Statistics::new());
    let engine = Engine::builder().observer(std::sync::Arc::clone(&statistics)).build().unwrap();
    let formula = formula(&engine, "1 + x", &["x"]);
    for n_compiled in [0, 1, 1] {
        assert_eq!(formula.call(&[1.0]).unwrap(), 2.0);
        assert_eq!(statistics.totals().compiled.len(), n_compiled, "the interpreter runs the first call");
    }
    let totals = statistics.totals();
    assert_eq!((totals.defined.len(), totals.called.len(), totals.compiled.len()), (0, 0, 1));
}
