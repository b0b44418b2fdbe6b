//! Scans and folds: each row gets the results of the row before, in every way of computing rows.

#[cfg(all(feature = "llvm", not(feature = "stress")))]
use super::observed;
use super::{FUNCTIONS, NAMES, engines, is_same, spread};
use crate::engine;
#[cfg(all(feature = "llvm", not(feature = "stress")))]
use crate::until;
use kaleidoscope::{Array, DiagnosticCode, Engine, Mode, Variable};
use std::time::Duration;

#[track_caller]
fn check_scan(engine: &Engine, name: &str, init: f64, ys: &[f64]) {
    let function = engine.function::<(f64, f64)>(name).unwrap();
    let mut out = vec![-1.0; ys.len()];
    function.scan(init, &[ys], &mut out).unwrap();
    let mode = engine.mode();
    let mut state = init;
    for (row, &y) in ys.iter().enumerate() {
        let before = state;
        state = function.call((before, y)).unwrap();
        assert!(
            is_same(out[row], state),
            "{mode:?}: row {row}: {name}({before}, {y}) is {state}, not {}",
            out[row]
        );
    }
    let folded = function.fold(init, &[ys]).unwrap();
    assert!(is_same(folded, state), "{mode:?}: {name}: {folded}, not {state}");
}

/// NaN stays: most functions are checked for more by a column without.
fn finite(n: usize) -> Vec<f64> {
    (0..n).map(|row| (row * 7_919 % 1_003) as f64 / 251.0 - 1.0).collect()
}

#[test]
fn rows_have_the_bits_of_single_calls() {
    let ys = spread(1_237, 31);
    for engine in engines() {
        engine.run(FUNCTIONS).ok().unwrap();
        for name in NAMES {
            for n_rows in [0, 1, 2, 1_237] {
                check_scan(&engine, name, 0.25, &ys[..n_rows]);
                check_scan(&engine, name, 0.25, &finite(n_rows));
            }
        }
    }
}

/// Under stress, kernels are invalidated before they compute all rows.
#[cfg(all(feature = "llvm", not(feature = "stress")))]
#[test]
fn kernels_give_the_bits_of_single_calls() {
    let ys = finite(1_237);
    let thresholds = kaleidoscope::Thresholds { calls: 1, back_edges: 1, delay: Duration::ZERO };
    for mode in [Mode::Lazy, Mode::Tiered] {
        let (engine, statistics) = observed(Engine::builder().mode(mode).thresholds(thresholds));
        engine.run(FUNCTIONS).ok().unwrap();
        for name in NAMES {
            let n_before = statistics.totals().rows.by_kernel;
            // At least one of the two kernels was used.
            let is_by_kernel = || statistics.totals().rows.by_kernel > n_before + ys.len();
            until(is_by_kernel, || check_scan(&engine, name, 0.25, &ys));
        }
    }
}

#[test]
fn several_states_are_passed_on_together() {
    let ys = finite(2_003);
    let texts = ["sin(a) + b * y", "a - cos(b)", "c + a * b"];
    for engine in engines() {
        let formulas = engine.formulas(&texts, &["a", "b", "c", "y"]).unwrap();
        for _ in 0..3 {
            let mut outs = vec![vec![0.0; ys.len()]; 3];
            let mut places: Vec<_> = outs.iter_mut().map(Vec::as_mut_slice).collect();
            formulas.scan(&[1.0, 2.0, 3.0], &[&ys], &mut places).unwrap();
            let mut states = vec![1.0, 2.0, 3.0];
            for (row, &y) in ys.iter().enumerate() {
                let args = [states[0], states[1], states[2], y];
                formulas.call(&args, &mut states).unwrap();
                let is_right = (0..3).all(|nth| is_same(outs[nth][row], states[nth]));
                assert!(is_right, "{:?}: row {row}", engine.mode());
            }
            assert_eq!(formulas.fold(&[1.0, 2.0, 3.0], &[&ys]).unwrap(), states);
        }
        assert_eq!(formulas.fold(&[1.0, 2.0, 3.0], &[&[]]).unwrap(), [1.0, 2.0, 3.0]);
    }
}

#[test]
fn there_may_be_no_columns() {
    for engine in engines() {
        let next = engine.formula("s * 3.5 * (1 - s)", &["s"]).unwrap();
        for n_rows in [0, 5, 3_000] {
            let mut out = vec![0.0; n_rows];
            next.scan(0.3, &[], &mut out).unwrap();
            let mut state = 0.3;
            for value in out {
                state = state * 3.5 * (1.0 - state);
                assert_eq!(value, state);
            }
        }
        // There is nothing that tells the number of rows.
        assert_eq!(next.fold(0.3, &[]).unwrap(), 0.3);
    }
}

#[test]
fn wrong_columns_are_errors() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.run("def f(s x) s + x; def none() 1;").ok().unwrap();
        let f = engine.function::<(f64, f64)>("f").unwrap();
        let error = f.scan(0.0, &[&[1.0], &[1.0]], &mut [0.0]).unwrap_err();
        assert_eq!(error.to_string(), "`f` takes 2 arguments, not 3 (defined at text:1)");
        let error = f.scan(0.0, &[&[1.0]], &mut [0.0; 2]).unwrap_err();
        assert_eq!((error.code(), error.row()), (DiagnosticCode::WrongColumnLength, None));
        let none = engine.function::<()>("none").unwrap();
        let error = none.fold(0.0, &[]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::WrongArgumentCount);
        let formulas = engine.formulas(&["a", "b"], &["a", "b", "x"]).unwrap();
        let error = formulas.fold(&[1.0], &[&[1.0]]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::WrongResultCount);
        let error = formulas.scan(&[1.0; 2], &[&[1.0]], &mut [&mut [0.0]]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::WrongResultCount);
        let error = formulas.fold(&[1.0; 2], &[&[1.0], &[1.0]]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::WrongArgumentCount);
    }
}

/// Each row that fails is named, and the rows before it are written. A row of the kernel is stopped
/// in the middle of a loop, where a signal interrupts it, and at a call.
#[test]
fn errors_name_their_row() {
    for &mode in Mode::ALL {
        let engine = Engine::builder().mode(mode).stack_bytes(1 << 20).build().unwrap();
        engine.bind_array("cells", &Array::new(3)).unwrap();
        engine
            .run(
                "extern missing(x); def deep(x) deep(x) + 1;
             def loops(s x) if s < 600 then s + x else (for i = 0, 1 in 0);
             def calls(s x) if s < 600 then s + x else forever(x);
             def fails(s x) if s < 600 then s + x else missing(x);
             def overflows(s x) if s < 600 then s + x else deep(x);
             def indexes(s x) if s < 600 then s + x + cells(x) else cells(s);
             def forever(x) forever(x);",
            )
            .ok()
            .unwrap();
        let xs = vec![1.0; 1_300];
        for (name, code) in [
            ("loops", DiagnosticCode::TimedOut),
            ("calls", DiagnosticCode::TimedOut),
            ("fails", DiagnosticCode::MissingHostFunction),
            ("overflows", DiagnosticCode::StackOverflow),
            ("indexes", DiagnosticCode::IndexOutOfRange),
        ] {
            let function = engine.function::<(f64, f64)>(name).unwrap();
            // The kernel exists, or is compiled now.
            for _ in 0..3 {
                function.scan(-2_000.0, &[&xs], &mut vec![0.0; xs.len()]).unwrap();
                function.fold(-2_000.0, &[&xs]).unwrap();
            }
            let limit = if code == DiagnosticCode::TimedOut { 20 } else { 60_000 };
            let limited = function.within(Duration::from_millis(limit));
            for n_before in [0, 1, 599] {
                let init = 600.0 - n_before as f64;
                let mut out = vec![-1.0; xs.len()];
                let error = limited.scan(init, &[&xs], &mut out).unwrap_err();
                let context = format!("{:?}: {name}: {error}", engine.mode());
                assert_eq!((error.code(), error.row()), (code, Some(n_before)), "{context}");
                assert!((0..n_before).all(|row| out[row] == init + row as f64 + 1.0), "{context}");
                assert!(out[n_before..].iter().all(|value| *value == -1.0), "{context}");
                let error = limited.fold(init, &[&xs]).unwrap_err();
                assert_eq!((error.code(), error.row()), (code, Some(n_before)), "{context}");
            }
        }
    }
}

#[test]
fn the_time_limit_ends_a_scan() {
    let xs = vec![1.0; 20_000];
    for engine in engines() {
        let sum = engine.formula("s + x", &["s", "x"]).unwrap().within(Duration::ZERO);
        for _ in 0..2 {
            let error = sum.scan(0.0, &[&xs], &mut vec![0.0; 20_000]).unwrap_err();
            assert_eq!(error.code(), DiagnosticCode::TimedOut, "{:?}", engine.mode());
            assert!(error.row().is_some_and(|row| row < 20_000));
        }
    }
}

#[test]
fn rows_use_host_variables_in_order() {
    let xs: Vec<_> = (0..3_000).map(f64::from).collect();
    for engine in engines() {
        let t = Variable::new(0.0);
        engine.bind("t", &t).unwrap();
        // Assigned by each row and read by the next.
        let f = engine.formula("(t = x) - t + s + (t = t + 1)", &["s", "x"]).unwrap();
        let mut expected = 0.0;
        for &x in &xs {
            expected += x + 1.0;
        }
        for _ in 0..3 {
            assert_eq!(f.fold(0.0, &[&xs]).unwrap(), expected, "{:?}", engine.mode());
            assert_eq!(t.get(), 3_000.0);
        }
    }
}

/// A scan inside an evaluation of the same engine, from a host function.
#[test]
fn scans_nest() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let inner = engine.formula("s + x", &["s", "x"]).unwrap();
        let fold = move |x: f64| inner.fold(x, &[&[1.0; 1_001]]).unwrap();
        engine.register("folded", fold).unwrap();
        let outer = engine.formula("fmod(folded(s), 1000) + x", &["s", "x"]).unwrap();
        assert_eq!(outer.fold(0.0, &[&[1.0; 60]]).unwrap(), {
            let mut state = 0.0_f64;
            (0..60).for_each(|_| state = (state + 1_001.0) % 1_000.0 + 1.0);
            state
        });
    }
}
