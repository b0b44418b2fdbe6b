//! Formulas evaluated together: each result has the bits of the formula by itself.

use super::{FUNCTIONS, NAMES, engines, is_same, observed, spread};
use crate::engine;
#[cfg(all(feature = "llvm", not(feature = "stress")))]
use crate::until;
use kaleidoscope::{
    Color, DiagnosticCode, Engine, Formulas, MapOptions, Mode, OutputBuffer, Precision, Statistics, Variable,
};
use std::time::Duration;

/// Calls of all functions of the programs in this folder.
fn all_together(engine: &Engine) -> Formulas {
    let texts: Vec<_> = NAMES.iter().map(|name| format!("{name}(x, y) + {name}(y, x)")).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    engine.formulas(&texts, &["x", "y"]).unwrap()
}

/// The results of each formula.
fn map_all(formulas: &Formulas, xs: &[f64], ys: &[f64]) -> Vec<Vec<f64>> {
    let mut outs = vec![vec![-1.0; xs.len()]; formulas.formulas().len()];
    let mut places: Vec<_> = outs.iter_mut().map(Vec::as_mut_slice).collect();
    formulas.map(&[xs, ys], &mut places).unwrap();
    outs
}

/// Compares the results with single calls, and returns them.
#[track_caller]
fn check_together(formulas: &Formulas, xs: &[f64], ys: &[f64]) -> Vec<Vec<f64>> {
    let outs = map_all(formulas, xs, ys);
    let mut results = vec![0.0; outs.len()];
    for row in 0..xs.len() {
        let args = [xs[row], ys[row]];
        if row % 10 == 0 {
            formulas.call(&args, &mut results).unwrap();
        }
        for (nth, formula) in formulas.formulas().iter().enumerate() {
            let single = formula.call(&args).unwrap();
            assert!(is_same(outs[nth][row], single), "{formula}, {args:?}: {single}, not {}", outs[nth][row]);
            assert!(row % 10 != 0 || is_same(results[nth], single), "{formula}, {args:?}: called together");
        }
    }
    outs
}

#[test]
fn results_have_the_bits_of_the_formulas_alone() {
    let (xs, ys) = (spread(1_237, 21), spread(1_237, 22));
    for engine in engines() {
        engine.run(FUNCTIONS).ok().unwrap();
        let all = all_together(&engine);
        check_together(&all, &xs, &ys);
        // Without loops and output: by columns, and by plain kernels.
        let texts = ["poly(x, y) * sin(x)", "sometimes(x, y) - sin(x)", "branches(x, y)", "x", "7", "x"];
        let plain = engine.formulas(&texts, &["x", "y"]).unwrap();
        for n_rows in [0, 1, 100, 1_237, 1_237] {
            check_together(&plain, &xs[..n_rows], &ys[..n_rows]);
        }
    }
}

/// Under stress, kernels are invalidated before they compute all rows.
#[cfg(all(feature = "llvm", not(feature = "stress")))]
#[test]
fn one_kernel_computes_all_results() {
    let (xs, ys) = (spread(1_237, 23), spread(1_237, 24));
    for mode in [Mode::Lazy, Mode::Tiered] {
        let thresholds = kaleidoscope::Thresholds { calls: 1, back_edges: 1, delay: Duration::ZERO };
        let (engine, statistics) = observed(Engine::builder().mode(mode).thresholds(thresholds));
        engine.run(FUNCTIONS).ok().unwrap();
        for formulas in
            [all_together(&engine), engine.formulas(&["poly(x, y)", "poly(y, x)"], &["x", "y"]).unwrap()]
        {
            let expected = check_together(&formulas, &xs, &ys);
            let n_before = statistics.totals().rows.by_kernel;
            let is_by_kernel = || statistics.totals().rows.by_kernel > n_before;
            until(is_by_kernel, || {
                let outs = map_all(&formulas, &xs, &ys);
                let mut pairs = outs.iter().flatten().zip(expected.iter().flatten());
                assert!(pairs.all(|(out, expected)| is_same(*out, *expected)), "{mode:?}");
            });
        }
    }
}

/// In the modes without kernels: nothing but columns.
#[test]
fn one_column_program_computes_all_results() {
    let (xs, ys) = (spread(5_000, 25), spread(5_000, 26));
    let (engine, statistics) = observed(Engine::builder().mode(Mode::Baseline));
    engine.run(FUNCTIONS).ok().unwrap();
    let formulas = engine.formulas(&["sin(x) + y", "sin(x) * y", "maths(x, y)"], &["x", "y"]).unwrap();
    let mut outs = vec![vec![0.0; xs.len()]; 3];
    let mut places: Vec<_> = outs.iter_mut().map(Vec::as_mut_slice).collect();
    formulas.map(&[&xs, &ys], &mut places).unwrap();
    assert_eq!(statistics.totals().rows.by_columns, xs.len());
    formulas.map_with(Precision::Fast, &[&xs, &ys], &mut places).unwrap();
    assert!((0..xs.len()).all(|row| is_same(outs[1][row], xs[row].sin() * ys[row])));
}

#[test]
fn large_batches_are_spread_over_threads() {
    let (xs, ys) = (spread(100_003, 27), spread(100_003, 28));
    for engine in engines() {
        engine.run(FUNCTIONS).ok().unwrap();
        if engine.mode() == Mode::Off {
            continue;
        }
        let formulas = engine.formulas(&["sums(x, y)", "branches(x, y)"], &["x", "y"]).unwrap();
        let map = |options: MapOptions| {
            let (mut one, mut two) = (vec![0.0; xs.len()], vec![0.0; xs.len()]);
            formulas.map_with(options, &[&xs, &ys], &mut [&mut one, &mut two]).unwrap();
            (one, two)
        };
        let (one, two) = map(MapOptions::new());
        let (alone, beside) = map(MapOptions::new().on_this_thread());
        assert!(one.iter().zip(&alone).all(|(a, b)| is_same(*a, *b)), "{:?}", engine.mode());
        assert!(two.iter().zip(&beside).all(|(a, b)| is_same(*a, *b)), "{:?}", engine.mode());
    }
}

/// What a formula assigns or prints precedes the next formula of the row.
#[test]
fn effects_are_in_order() {
    for &mode in Mode::ALL {
        let output = OutputBuffer::default();
        let builder = Engine::builder().mode(mode).output(output.clone());
        let engine = builder.build().unwrap();
        let t = Variable::new(0.0);
        engine.bind("t", &t).unwrap();
        let formulas =
            engine.formulas(&["(t = t + x) + putchard(97)", "t * 2 + putchard(98)"], &["x"]).unwrap();
        let xs = vec![1.0; 1_500];
        for _ in 0..2 {
            t.set(0.0);
            output.take();
            let (mut sums, mut doubles) = (vec![0.0; xs.len()], vec![0.0; xs.len()]);
            formulas.map(&[&xs], &mut [&mut sums, &mut doubles]).unwrap();
            let expected =
                |row: usize| (sums[row], doubles[row]) == (row as f64 + 1.0, 2.0 * (row as f64 + 1.0));
            assert!((0..xs.len()).all(expected), "{mode:?}");
            assert_eq!(output.take(), "ab".repeat(xs.len()), "{mode:?}");
        }
    }
}

#[test]
fn formulas_call_current_definitions() {
    for engine in engines() {
        engine.run("def f(x) x + 1;").ok().unwrap();
        let formulas = engine.formulas(&["f(x)", "f(x) * 2"], &["x"]).unwrap();
        let xs = vec![1.0; 2_000];
        let map = || {
            let (mut one, mut two) = (vec![0.0; xs.len()], vec![0.0; xs.len()]);
            formulas.map(&[&xs], &mut [&mut one, &mut two]).unwrap();
            (one, two)
        };
        for _ in 0..3 {
            assert_eq!(map(), (vec![2.0; 2_000], vec![4.0; 2_000]));
        }
        engine.run("def f(x) x + 2;").ok().unwrap();
        for _ in 0..3 {
            assert_eq!(map(), (vec![3.0; 2_000], vec![6.0; 2_000]));
        }
        engine.run("def f(x y) x;").ok().unwrap();
        let error = formulas.map(&[&xs], &mut [&mut vec![0.0; 2_000], &mut vec![0.0; 2_000]]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::StaleArity);
    }
}

#[test]
fn the_first_wrong_formula_is_reported() {
    let engine = engine(Mode::default());
    let error = engine.formulas(&["x", "y", "z"], &["x"]).unwrap_err();
    assert_eq!(error.to_string(), "there is no variable `y` here");
    assert!(error.render(Color::Never).contains("formula 2:1:1"), "{}", error.render(Color::Never));
    let error = engine.formulas(&[], &["x"]).unwrap_err();
    assert_eq!(error.to_string(), "there is no formula");
    assert_eq!(error.diagnostics()[0].code, DiagnosticCode::WrongResultCount);
}

#[test]
fn wrong_arguments_are_errors() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let formulas = engine.formulas(&["x + y", "x - y"], &["x", "y"]).unwrap();
        assert_eq!(formulas.parameters().collect::<Vec<_>>(), ["x", "y"]);
        let error = formulas.call(&[1.0], &mut [0.0; 2]).unwrap_err();
        assert_eq!(error.to_string(), "the formula takes 2 arguments, not 1");
        let error = formulas.call(&[1.0, 2.0], &mut [0.0; 3]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::WrongResultCount);
        let columns: &[&[f64]] = &[&[1.0], &[2.0]];
        let error = formulas.map(columns, &mut [&mut [0.0]]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::WrongResultCount);
        let error = formulas.map(columns, &mut [&mut [0.0], &mut [0.0; 2]]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::WrongColumnLength);
        let error = formulas.map(&[&[1.0], &[]], &mut [&mut [0.0], &mut [0.0]]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::WrongColumnLength);
        let mut results = [0.0; 2];
        engine.enter(|scope| scope.call_formulas(&formulas, &[3.0, 1.0], &mut results)).unwrap();
        assert_eq!(results, [4.0, 2.0]);
    }
}

#[test]
fn limits_hold_for_all_together() {
    let xs = vec![1.0; 20_000];
    for engine in engines() {
        engine.run("def forever(x) forever(x);").ok().unwrap();
        for second in ["x", "forever(x)"] {
            let formulas = engine.formulas(&["x + 1", second], &["x"]).unwrap().within(Duration::ZERO);
            for _ in 0..2 {
                let mut outs = [vec![0.0; 20_000], vec![0.0; 20_000]];
                let [one, two] = &mut outs;
                let error = formulas.map(&[&xs], &mut [one, two]).unwrap_err();
                assert_eq!(error.code(), DiagnosticCode::TimedOut, "{:?}: {second}", engine.mode());
            }
        }
        let formulas = engine.formulas(&["x", "forever(x)"], &["x"]).unwrap();
        for _ in 0..3 {
            let limited = formulas.within(Duration::from_millis(5));
            let error = limited.call(&[1.0], &mut [0.0; 2]).unwrap_err();
            assert_eq!(error.code(), DiagnosticCode::TimedOut, "{:?}", engine.mode());
        }
    }
}

#[test]
fn statistics_do_not_count_formulas_as_definitions() {
    let statistics = Statistics::new();
    let engine = Engine::builder().observer(statistics.clone()).build().unwrap();
    let formulas = engine.formulas(&["x + 1", "x + 2"], &["x"]).unwrap();
    formulas.map(&[&[1.0]], &mut [&mut [0.0], &mut [0.0]]).unwrap();
    let totals = statistics.totals();
    assert_eq!((totals.defined.len(), totals.called.len()), (0, 0));
}
