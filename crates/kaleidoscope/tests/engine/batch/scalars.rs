//! Scalars beside columns: batches in which some parameters have one value for all rows.

#[cfg(all(feature = "llvm", not(feature = "stress")))]
use super::observed;
use super::{FUNCTIONS, NAMES, engines, is_same, spread};
#[cfg(all(feature = "llvm", not(feature = "stress")))]
use kaleidoscope::Tier;
use kaleidoscope::{Column, DiagnosticCode, Engine, MapOptions, Precision};

/// All choices of two columns of which one at least is a scalar, with the arguments of a row.
fn choices<'a>(xs: &'a [f64], ys: &'a [f64]) -> [(Column<'a>, Column<'a>); 3] {
    let (x, y) = (Column::Scalar(xs[1]), Column::Scalar(ys[2]));
    [(Column::Rows(xs), y), (x, Column::Rows(ys)), (x, y)]
}

fn at(column: Column<'_>, row: usize) -> f64 {
    match column {
        Column::Rows(rows) => rows[row],
        Column::Scalar(value) => value,
    }
}

#[track_caller]
fn check(engine: &Engine, name: &str, (x, y): (Column<'_>, Column<'_>), n_rows: usize) {
    let function = engine.function::<(f64, f64)>(name).unwrap();
    let mut out = vec![-1.0; n_rows];
    function.map_columns(MapOptions::new(), &[x, y], &mut out).unwrap();
    for (row, &mapped) in out.iter().enumerate() {
        let args = (at(x, row), at(y, row));
        let single = function.call(args).unwrap();
        let mode = engine.mode();
        assert!(is_same(mapped, single), "{mode:?}: {name}{args:?} is {single}, mapped {mapped}");
    }
}

#[test]
fn results_have_the_bits_of_single_calls() {
    let (xs, ys) = (spread(1_237, 1), spread(1_237, 2));
    for engine in engines() {
        engine.run(FUNCTIONS).ok().unwrap();
        for name in NAMES {
            for n_rows in [xs.len(), 3] {
                for columns in choices(&xs[..n_rows], &ys[..n_rows]) {
                    check(&engine, name, columns, n_rows);
                }
            }
        }
    }
}

/// By kernels, once they are compiled, and on the threads of the pool. Under stress, kernels are
/// compiled more often.
#[cfg(all(feature = "llvm", not(feature = "stress")))]
#[test]
fn kernels_are_compiled_for_each_choice_of_scalars() {
    let (xs, ys) = (spread(40_003, 3), spread(40_003, 4));
    let (engine, statistics) = observed(Engine::builder().mode(kaleidoscope::Mode::Lazy));
    engine.run(FUNCTIONS).ok().unwrap();
    for name in ["poly", "maths", "sums"] {
        for columns in choices(&xs, &ys) {
            let n_before = statistics.totals().rows.by_kernel;
            crate::until(
                || statistics.totals().rows.by_kernel > n_before,
                || check(&engine, name, columns, xs.len()),
            );
            check(&engine, name, columns, xs.len());
        }
    }
    let compiled = statistics.totals().compiled;
    assert_eq!(compiled.iter().filter(|code| code.tier == Tier::Kernel).count(), 9);
}

#[test]
fn a_redefinition_removes_what_was_made_for_scalars() {
    let xs = spread(2_000, 5);
    for engine in engines() {
        engine.run("def g(a) a * a; def f(x a) x * g(a);").ok().unwrap();
        let f = engine.function::<(f64, f64)>("f").unwrap();
        let columns = [Column::Rows(&xs), Column::Scalar(3.0)];
        let mut out = vec![0.0; xs.len()];
        for factor in [9.0, 4.0, 5.0] {
            f.map_columns(MapOptions::new(), &columns, &mut out).unwrap();
            f.map_columns(MapOptions::new(), &columns, &mut out).unwrap();
            assert!(out.iter().zip(&xs).all(|(out, x)| is_same(*out, x * factor)), "{:?}", engine.mode());
            engine.run(if factor == 9.0 { "def g(a) a + 1;" } else { "def f(x a) x * 5;" }).ok().unwrap();
        }
    }
}

#[test]
fn formulas_together_take_scalars() {
    let xs = spread(1_500, 6);
    for engine in engines() {
        let both = engine.formulas(&["a*x + b", "sin(a) * x"], &["a", "b", "x"]).unwrap();
        let (mut lines, mut waves) = (vec![0.0; xs.len()], vec![0.0; xs.len()]);
        let columns = [2.0.into(), 1.0.into(), (&xs).into()];
        for options in [MapOptions::new(), MapOptions::new().on_this_thread()] {
            both.map_columns(options, &columns, &mut [&mut lines, &mut waves]).unwrap();
            let sin = 2.0_f64.sin();
            let expected = xs.iter().map(|x| (2.0 * x + 1.0, sin * x));
            let got = lines.iter().zip(&waves);
            assert!(got.zip(expected).all(|((a, b), (c, d))| is_same(*a, c) && is_same(*b, d)));
        }
    }
}

#[test]
fn fast_functions_of_scalars_are_close() {
    for engine in engines() {
        let wave = engine.formula("sin(a) * x", &["a", "x"]).unwrap();
        let (xs, mut out) = (vec![1.0; 5_000], vec![0.0; 5_000]);
        for _ in 0..2 {
            wave.map_columns(Precision::Fast, &[0.5.into(), (&xs).into()], &mut out).unwrap();
            assert!(out.iter().all(|out| (out - 0.5_f64.sin()).abs() < 1e-15));
        }
    }
}

/// More columns than kernels know as scalars.
#[test]
fn any_number_of_columns_may_be_scalars() {
    let names: Vec<_> = (0..70).map(|nth| format!("p{nth}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let xs = spread(1_100, 7);
    for engine in engines() {
        let sum = engine.formula(&names.join(" + "), &names).unwrap();
        let columns: Vec<_> =
            (0..70).map(|nth| if nth == 1 { (&xs).into() } else { Column::Scalar(nth as f64) }).collect();
        let mut out = vec![0.0; xs.len()];
        for _ in 0..2 {
            sum.map_columns(MapOptions::new(), &columns, &mut out).unwrap();
            for (x, out) in xs.iter().zip(&out) {
                let expected = (2..70).fold(0.0 + x, |sum, nth| sum + nth as f64);
                assert!(is_same(*out, expected));
            }
        }
    }
}

#[test]
fn wrong_columns_are_errors() {
    let engine = Engine::new().unwrap();
    let line = engine.formula("a*x + b", &["a", "x", "b"]).unwrap();
    let mut out = [0.0; 2];
    let code = |columns: &[Column<'_>], out: &mut [f64]| {
        line.map_columns(MapOptions::new(), columns, out).unwrap_err().code()
    };
    assert_eq!(code(&[1.0.into(), 2.0.into()], &mut out), DiagnosticCode::WrongArgumentCount);
    let short = [1.0.into(), (&[1.0]).into(), 2.0.into()];
    assert_eq!(code(&short, &mut out), DiagnosticCode::WrongColumnLength);
    assert!(line.map_columns(MapOptions::new(), &short, &mut []).is_err());
    line.map_columns(MapOptions::new(), &[1.0.into(), 2.0.into(), 3.0.into()], &mut []).unwrap();
}
