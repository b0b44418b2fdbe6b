//! Function handles: guarded calls, calls in a scope, raw calls.

use crate::{check, engine, until};
use kaleidoscope::{DiagnosticCode, ErrorKind, Function, Mode};
use std::thread;
use std::time::Duration;

#[test]
fn handles_are_shared_between_threads() {
    fn expect_shared<T: Clone + Send + Sync>() {}
    expect_shared::<Function<(f64, f64)>>();
}

#[test]
fn a_handle_checks_the_number_of_arguments() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(
            &engine,
            "def none() 7; def two(a b) a - b; def eight(a b c d e f g h) a+2*b+3*c+4*d+5*e+6*f+7*g+8*h;",
            &[],
            &[],
        );
        assert_eq!(engine.function::<()>("none").unwrap().call(()).unwrap(), 7.0);
        assert_eq!(engine.function::<(f64, f64)>("two").unwrap().call((5.0, 3.0)).unwrap(), 2.0);
        let eight = engine.function::<(f64, f64, f64, f64, f64, f64, f64, f64)>("eight").unwrap();
        assert_eq!(eight.call((1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0)).unwrap(), 44.0);
        assert_eq!(engine.function::<(f64,)>("fabs").unwrap().call((-1.0,)).unwrap(), 1.0);
        assert_eq!(engine.function::<(f64,)>("printd").unwrap().call((1.0,)).unwrap(), 0.0);

        let wrong = engine.function::<(f64,)>("two").unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::WrongArity);
        assert_eq!(wrong.to_string(), "`two` takes 2 arguments, not 1");
        let unknown = engine.function::<(f64,)>("tow").unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::UnknownFunction);
    }
}

#[test]
fn a_handle_follows_redefinition() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(&engine, "def f(x) x;", &[], &[]);
        let f = engine.function::<(f64,)>("f").unwrap();
        assert_eq!(f.call((1.0,)).unwrap(), 1.0);
        check(&engine, "def f(x) x + 10;", &[], &[]);
        assert_eq!(f.clone().call((1.0,)).unwrap(), 11.0);
        check(&engine, "def f(x y) x + y;", &[], &[]);
        assert_eq!(f.call((1.0,)).unwrap_err().code(), DiagnosticCode::StaleArity);
        check(&engine, "def f(x) 3;", &[], &[]);
        assert_eq!(f.call((1.0,)).unwrap(), 3.0);
    }
}

/// Functions that fail in different ways, and one that does not.
const FAILING: &str = "def deep(x) deep(x + 1) + 1; extern system(x); def missing(x) system(x);
    def endless(x) for i = 0, 1 in x; def good(x) 2 * x;";

#[test]
fn a_failed_call_does_not_end_its_scope() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(&engine, FAILING, &[], &[]);
        let [deep, missing, good] =
            ["deep", "missing", "good"].map(|name| engine.function::<(f64,)>(name).unwrap());
        engine
            .enter(|scope| {
                for _ in 0..3 {
                    assert_eq!(scope.call(&deep, (0.0,)).unwrap_err().code(), DiagnosticCode::StackOverflow);
                    assert_eq!(scope.call(&good, (4.0,)).unwrap(), 8.0);
                    let error = scope.call(&missing, (0.0,)).unwrap_err();
                    assert_eq!(error.code(), DiagnosticCode::MissingHostFunction);
                    assert!(error.to_string().contains("`system`"), "{error}");
                    assert_eq!(scope.call(&good, (5.0,)).unwrap(), 10.0);
                }
                Ok(())
            })
            .unwrap();
        assert_eq!(good.call((1.0,)).unwrap(), 2.0);
    }
}

#[test]
fn deadlines_and_interrupts_stop_calls() {
    for &mode in Mode::ALL {
        let unlimited = engine(mode);
        check(&unlimited, FAILING, &[], &[]);
        let limited = unlimited.within(Duration::from_millis(20));
        let endless = limited.function::<(f64,)>("endless").unwrap();
        assert_eq!(endless.call((0.0,)).unwrap_err().code(), DiagnosticCode::TimedOut);
        let (first, second) =
            limited.enter(|scope| Ok((scope.call(&endless, (0.0,)), scope.call(&endless, (0.0,))))).unwrap();
        // The limit holds for the whole scope.
        assert_eq!([first, second].map(|result| result.unwrap_err().code()), [DiagnosticCode::TimedOut; 2]);

        let engine = engine(mode);
        check(&engine, FAILING, &[], &[]);
        let endless = engine.function::<(f64,)>("endless").unwrap();
        let running = thread::spawn(move || endless.call((0.0,)));
        let interrupt = || {
            engine.interrupter().interrupt();
            thread::yield_now();
        };
        until(|| running.is_finished(), interrupt);
        assert_eq!(running.join().unwrap().unwrap_err().code(), DiagnosticCode::Interrupted);
    }
}

#[test]
fn scopes_nest_and_redefine() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(&engine, "def f(x) x; def g(x) f(x) + 1;", &[], &[]);
        let g = engine.function::<(f64,)>("g").unwrap();
        let values = engine
            .enter(|scope| {
                let before = scope.call(&g, (1.0,))?;
                check(&engine, "def f(x) 100 * x; g(2);", &[201.0], &[]);
                let within = engine.enter(|inner| inner.call(&g, (3.0,)))?;
                Ok([before, within, scope.call(&g, (4.0,))?])
            })
            .unwrap();
        assert_eq!(values, [2.0, 301.0, 401.0]);
    }
}

#[test]
fn a_scope_refuses_functions_of_another_engine() {
    let [one, other] = [engine(Mode::Lazy), engine(Mode::Lazy)];
    check(&other, "def f(x) x;", &[], &[]);
    let f = other.function::<(f64,)>("f").unwrap();
    let error = one.enter(|scope| scope.call(&f, (1.0,))).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::OtherEngine);
    assert_eq!(error.to_string(), "`f` belongs to another engine than the scope (defined at text:1)");
    assert!(one.enter(|scope| scope.call_dyn(&f.to_dyn(), &[1.0])).is_err());
    let formulas = other.formulas(&["x + 1", "x + 2"], &["x"]).unwrap();
    let error = one.enter(|scope| scope.call_formulas(&formulas, &[1.0], &mut [0.0; 2])).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::OtherEngine);
    assert_eq!(f.call((1.0,)).unwrap(), 1.0);
}

#[test]
#[expect(unsafe_code, reason = "raw calls are unsafe")]
fn raw_calls_run_prepared_functions() {
    for &mode in Mode::ALL.iter().filter(|&&mode| mode != Mode::Off) {
        let engine = engine(mode);
        check(&engine, "def half(x) x / 2; def third(x) half(sin(x) + x) / 1.5;", &[], &[]);
        let half = engine.function::<(f64,)>("half").unwrap();
        let third = engine.function::<(f64,)>("third").unwrap();
        half.prepare().unwrap();
        third.prepare().unwrap();
        let expected = third.call((0.5,)).unwrap();
        // SAFETY: nothing is redefined during the call, and all functions that it reaches have
        // code.
        assert_eq!(unsafe { third.call_raw((0.5,)) }, expected);
        let pointer = half.pointer();
        // SAFETY: as above.
        assert_eq!(unsafe { pointer(3.0) }, 1.5);

        // A redefinition keeps the address. A scope keeps old code.
        engine
            .enter(|_| {
                check(&engine, "def half(x) x / 4;", &[], &[]);
                half.prepare().unwrap();
                assert_eq!(half.pointer() as usize, pointer as usize);
                // SAFETY: as above, inside a scope.
                assert_eq!(unsafe { pointer(3.0) }, 0.75);
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn a_function_can_be_called_with_a_slice() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(&engine, "def ten(a b c d e f g h i j) a + 10 * j;", &[], &[]);
        let ten = engine.dyn_function("ten").unwrap();
        assert_eq!((&*ten.name(), ten.arity()), ("ten", 10));
        let args = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0];
        assert_eq!(ten.call(&args).unwrap(), 21.0);
        let error = ten.call(&args[1..]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::WrongArgumentCount);
        assert_eq!(error.to_string(), "`ten` takes 10 arguments, not 9 (defined at text:1)");
        assert_eq!(engine.dyn_function("eleven").unwrap_err().kind(), ErrorKind::UnknownFunction);
        let sin = engine.dyn_function("sin").unwrap().typed::<(f64,)>().unwrap();
        assert_eq!(sin.to_dyn().call(&[0.0]).unwrap(), 0.0);
    }
}

#[test]
fn a_limit_holds_for_one_handle() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(&engine, "def endless(x) for i = 0, x in x;", &[], &[]);
        // Long enough for `1;` beside busy processes.
        let limited = engine.within(Duration::from_millis(200));
        let codes: Vec<_> =
            limited.run("endless(1); 1;").diagnostics().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [DiagnosticCode::TimedOut], "{mode:?}");
        let endless = engine.function::<(f64,)>("endless").unwrap();
        let error = endless.within(Duration::from_millis(20)).call((1.0,)).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::TimedOut, "{mode:?}");
        let inside = limited.enter(|scope| scope.call(&endless, (1.0,)));
        assert_eq!(inside.unwrap_err().code(), DiagnosticCode::TimedOut, "{mode:?}");
        assert_eq!(endless.call((0.0,)).unwrap(), 0.0);
    }
}

/// A raw call has no engine around it; what it counts is heard all the same.
#[test]
#[cfg(feature = "llvm")]
#[expect(unsafe_code, reason = "raw calls are unsafe")]
fn a_function_that_is_often_called_raw_tiers_up() {
    let (engine, statistics) = crate::tiers::tiered();
    check(&engine, "def f(x) var y = x in (for i = 0, i < 20 in y = y + sin(i)) + y;", &[], &[]);
    let f = engine.function::<(f64,)>("f").unwrap();
    f.prepare().unwrap();
    let expected = f.call((3.0,)).unwrap();
    // SAFETY: nothing is redefined during the call, and `f` calls only maths functions.
    let call_raw = || assert_eq!(unsafe { f.call_raw((3.0,)) }, expected);
    until(|| statistics.totals().optimized.contains("f"), call_raw);
    call_raw();
}
