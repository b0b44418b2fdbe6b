//! Batches in the column interpreter: which rows it computes, and that it gives their bits.

use super::{FUNCTIONS, NAMES, check_strict, is_same, observed, spread};
use kaleidoscope::{Engine, Event, MapOptions, MappedRows, Mode, Observer, Precision};
use std::sync::{Arc, Mutex};

/// The modes in which no kernel is compiled.
const WITHOUT_KERNELS: &[Mode] =
    if cfg!(feature = "llvm") { &[Mode::Baseline, Mode::Off] } else { Mode::ALL };

/// The functions of `FUNCTIONS` that call something besides maths functions, or have a loop.
const NOT_BY_COLUMNS: &[&str] = &["sums", "halves", "recursive", "output"];

#[test]
fn rows_of_functions_without_loops_run_by_columns() {
    let (xs, ys) = (spread(1_237, 1), spread(1_237, 2));
    for &mode in WITHOUT_KERNELS {
        let (engine, statistics) = observed(Engine::builder().mode(mode));
        engine.run(FUNCTIONS).ok().unwrap();
        for name in NAMES {
            let before = statistics.totals().rows;
            check_strict(&engine, name, &xs, &ys);
            let rows = statistics.totals().rows;
            let by_columns = rows.by_columns - before.by_columns;
            let expected = if NOT_BY_COLUMNS.contains(name) { 0 } else { xs.len() };
            assert_eq!(by_columns, expected, "{mode:?}: {name}");
            assert_eq!(rows.by_calls - before.by_calls, xs.len() - expected, "{mode:?}: {name}");
        }
        assert_eq!(statistics.totals().n_batches, NAMES.len() as u64);
    }
}

#[test]
fn few_rows_run_by_single_calls() {
    let (engine, statistics) = observed(Engine::builder().mode(Mode::Baseline));
    engine.run(FUNCTIONS).ok().unwrap();
    let (xs, ys) = (spread(1_000, 3), spread(1_000, 4));
    check_strict(&engine, "poly", &xs, &ys);
    assert_eq!(statistics.totals().rows.by_columns, 1_000);
    check_strict(&engine, "poly", &xs[..10], &ys[..10]);
    let rows = statistics.totals().rows;
    assert_eq!((rows.by_columns, rows.by_calls), (1_000, 10));
}

/// Around the lengths of a block, and of the rows between two checks.
#[test]
fn columns_of_any_length_have_the_bits_of_single_calls() {
    let engine = Engine::builder().mode(Mode::Baseline).build().unwrap();
    engine.run(FUNCTIONS).ok().unwrap();
    let (xs, ys) = (spread(8_200, 5), spread(8_200, 6));
    for n_rows in [0, 1, 2, 100, 1_023, 1_024, 1_025, 8_191, 8_192, 8_193] {
        for name in ["poly", "sometimes", "branches"] {
            check_strict(&engine, name, &xs[..n_rows], &ys[..n_rows]);
        }
    }
}

#[test]
fn precision_makes_no_difference() {
    let (xs, ys) = (spread(2_003, 7), spread(2_003, 8));
    for &mode in WITHOUT_KERNELS {
        let (engine, statistics) = observed(Engine::builder().mode(mode));
        engine.run(FUNCTIONS).ok().unwrap();
        let f = engine.function::<(f64, f64)>("maths").unwrap();
        let [mut strict, mut fast] = [vec![0.0; xs.len()], vec![0.0; xs.len()]];
        f.map(&[&xs, &ys], &mut strict).unwrap();
        f.map_with(Precision::Fast, &[&xs, &ys], &mut fast).unwrap();
        assert!(strict.iter().zip(&fast).all(|(strict, fast)| is_same(*strict, *fast)), "{mode:?}");
        assert_eq!(statistics.totals().rows.by_columns, 2 * xs.len(), "{mode:?}");
    }
}

/// On the threads of the pool, too.
#[test]
fn large_batches_run_by_columns() {
    let (xs, ys) = (spread(100_003, 9), spread(100_003, 10));
    let (engine, statistics) = observed(Engine::builder().mode(Mode::Baseline));
    engine.run(FUNCTIONS).ok().unwrap();
    let f = engine.function::<(f64, f64)>("branches").unwrap();
    let [mut one, mut many] = [vec![0.0; xs.len()], vec![0.0; xs.len()]];
    f.map_with(MapOptions::new().on_this_thread(), &[&xs, &ys], &mut one).unwrap();
    f.map(&[&xs, &ys], &mut many).unwrap();
    assert!(one.iter().zip(&many).all(|(one, many)| is_same(*one, *many)));
    assert_eq!(statistics.totals().rows.by_columns, 2 * xs.len());
}

/// Whether a function runs by columns follows from its present definition, and from those of all
/// that it calls.
#[test]
fn redefinitions_change_whether_a_function_qualifies() {
    let xs: Vec<f64> = (0..2_000).map(f64::from).collect();
    for &mode in WITHOUT_KERNELS {
        let (engine, statistics) = observed(Engine::builder().mode(mode));
        engine.run("def g(x) x + 1; def f(x) g(x) * 2;").ok().unwrap();
        let f = engine.function::<(f64,)>("f").unwrap();
        let is_by_columns = || {
            let before = statistics.totals().rows;
            f.map(&[&xs], &mut vec![0.0; xs.len()]).unwrap();
            let rows = statistics.totals().rows;
            let by_calls = rows.by_calls - before.by_calls;
            assert_eq!(by_calls + rows.by_columns - before.by_columns, xs.len());
            by_calls == 0
        };
        assert!(is_by_columns(), "{mode:?}");
        engine.run("def g(x) (for i = 0, i < 2 in 0) + x;").ok().unwrap();
        assert!(!is_by_columns(), "{mode:?}: g has a loop");
        assert!(!is_by_columns(), "{mode:?}: g has a loop");
        engine.run("def g(x) x - 1;").ok().unwrap();
        assert!(is_by_columns(), "{mode:?}: g has none");
        engine.run("def f(x) g(x) + putchard(46);").ok().unwrap();
        assert!(!is_by_columns(), "{mode:?}: f calls the host");
        engine.run("def putchard(x) x;").ok().unwrap();
        assert!(is_by_columns(), "{mode:?}: it is a function of the program now");
        engine.run("def f(x) sqrt(x);").ok().unwrap();
        assert!(is_by_columns(), "{mode:?}: a maths function");
        engine.run("def sqrt(x) if x < 1 then x else sqrt(x / 2);").ok().unwrap();
        assert!(!is_by_columns(), "{mode:?}: it calls itself");
    }
}

#[test]
fn an_assignment_of_a_host_variable_is_seen_by_the_next_batch() {
    for &mode in WITHOUT_KERNELS {
        let (engine, statistics) = observed(Engine::builder().mode(mode));
        let t = kaleidoscope::Variable::new(1.0);
        engine.bind("t", &t).unwrap();
        let formula = engine.formula("x * t", &["x"]).unwrap();
        let mut out = [0.0; 1_000];
        for value in [1.0, 2.0, 3.0] {
            t.set(value);
            formula.map(&[&[4.0; 1_000]], &mut out).unwrap();
            assert_eq!(out, [4.0 * value; 1_000], "{mode:?}");
        }
        assert_eq!(statistics.totals().rows.by_columns, 3_000, "{mode:?}");
    }
}

/// The events of batches.
#[derive(Default)]
struct MappedLog(Mutex<Vec<(String, u32, MappedRows)>>);

impl Observer for MappedLog {
    fn observe(&self, event: &Event) {
        if let Event::Mapped { code, rows, .. } = event {
            self.0.lock().unwrap().push((code.name.to_string(), code.version, *rows));
        }
    }
}

#[test]
fn each_batch_emits_how_its_rows_were_computed() {
    let log = Arc::new(MappedLog::default());
    let engine = Engine::builder().mode(Mode::Baseline).observer(Arc::clone(&log)).build().unwrap();
    engine.run("extern missing(x); def f(x) x; def f(x) if x < 3 then x else missing(x);").ok().unwrap();
    let f = engine.function::<(f64,)>("f").unwrap();
    f.map(&[&[1.0, 2.0]], &mut [0.0; 2]).unwrap();
    f.map(&[&[4.0; 1_000]], &mut [0.0; 1_000]).unwrap_err();
    engine.function::<(f64,)>("sin").unwrap().map(&[&[0.0; 500]], &mut [1.0; 500]).unwrap();
    let log = log.0.lock().unwrap();
    let counts: Vec<_> = log
        .iter()
        .map(|(name, version, rows)| (&**name, *version, rows.by_kernel, rows.by_columns, rows.by_calls))
        .collect();
    let sin_version = log[2].1;
    assert_eq!(counts, [("f", 2, 0, 0, 2), ("f", 2, 0, 0, 0), ("sin", sin_version, 0, 500, 0)]);
}
