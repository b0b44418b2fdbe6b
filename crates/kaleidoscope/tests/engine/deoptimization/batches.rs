//! Redefinitions in the middle of a batch: each row is one call.

use super::{Change, Host, Nothing, Run};
use crate::{SetWhenDropped, until};
use kaleidoscope::{DiagnosticCode, MapOptions, Mode};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Rows of a batch that gets a kernel.
const N_ROWS: usize = 2_000;

/// Maps `f` over the numbers from 0 on, on this thread, until a kernel does that in tiered mode.
/// Then maps it once more with changes. Returns the results, and how often a kernel was left.
fn map_changed(mode: Mode, text: &str, changes: &[Change]) -> (Vec<f64>, usize) {
    let host = Host::new(mode, |builder| builder);
    host.define(text);
    let f = host.engine.function::<(f64,)>("f").unwrap();
    let xs: Vec<f64> = (0..N_ROWS).map(|row| row as f64).collect();
    let map = || {
        let mut out = vec![f64::NAN; N_ROWS];
        f.map_with(MapOptions::new().on_this_thread(), &[&xs], &mut out).unwrap();
        out
    };
    map();
    if mode == Mode::Tiered && cfg!(feature = "llvm") {
        until(|| host.log.has_kernel("f"), || drop(map()));
    }
    *host.changes.lock().unwrap() = changes.to_vec();
    let n_before = host.log.n_left();
    let out = map();
    (out, host.log.n_left() - n_before)
}

/// Maps `f` in all modes, and changes something at the row 500 and at the row 700. A kernel is left
/// inside a row if the row calls something behind the change, otherwise between rows.
#[track_caller]
fn check_rows(text: &str, [first, second]: [&'static str; 2], value: fn(usize) -> f64) {
    let mut changes = vec![Nothing; 500];
    changes.push(Run(first));
    changes.extend([Nothing; 199]);
    changes.push(Run(second));
    for &mode in Mode::ALL {
        let (out, n_left) = map_changed(mode, text, &changes);
        for (row, &got) in out.iter().enumerate() {
            assert_eq!(got, value(row), "{mode:?}: {text}: row {row}");
        }
        let has_kernels = matches!(mode, Mode::Lazy | Mode::Eager | Mode::Tiered) && cfg!(feature = "llvm");
        let ends_with_change = text.ends_with("change();");
        assert!(!has_kernels || ends_with_change || n_left > 0, "{mode:?}: {text}: no kernel was left");
    }
}

#[test]
fn rows_behind_the_change_call_the_new_definition() {
    // The row of the change calls the new definition, too.
    let text = "def v(x) x; def f(x) change() + v(x);";
    check_rows(text, ["def v(x) 1;", "def v(x) 2;"], |row| match row {
        0..500 => row as f64,
        500..700 => 1.0,
        _ => 2.0,
    });
    // The row of the change has called the old one already.
    let text = "def v(x) x; def f(x) v(x) + change();";
    check_rows(text, ["def v(x) 1;", "def v(x) 2;"], |row| match row {
        0..=500 => row as f64,
        501..=700 => 1.0,
        _ => 2.0,
    });
}

#[test]
fn rows_behind_the_change_use_the_new_maths_function() {
    let text = "def f(x) fabs(x) + change() + sqrt(x * x);";
    check_rows(text, ["def sqrt(x) 1;", "def fabs(x) 2;"], |row| match row {
        0..500 => 2.0 * row as f64,
        500..=700 => row as f64 + 1.0,
        _ => 3.0,
    });
}

/// The function that is mapped is replaced itself: the rows that follow are calls of the new one.
#[test]
fn rows_behind_the_change_are_calls_of_the_new_function() {
    let value = |row| match row {
        0..=500 => row as f64,
        501..=700 => 1.0,
        _ => 2.0,
    };
    check_rows("def v(x) x; def f(x) v(x) + change();", ["def f(x) change() + 1;", "def f(x) 2;"], value);
    check_rows("def f(x) x + change();", ["def f(x) change() + 1;", "def f(x) 2;"], value);
}

#[test]
fn rows_with_loops_are_changed() {
    let text = "def binary: 1 (a b) b; def v(x) x;
        def f(x) change() : var s = 0 in (for i = 1, i < 9 in s = s + v(x)) : s;";
    check_rows(text, ["def v(x) 1;", "def v(x) 2;"], |row| match row {
        0..500 => 9.0 * row as f64,
        500..700 => 9.0,
        _ => 18.0,
    });
}

/// How rows are computed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Map,
    Scan,
}

/// Evaluates formulas of `x` (and of their own results in a scan) over the numbers from 0 on, in
/// all modes, with changes at the row 500 and at the row 700. Compares each row with `expected`,
/// which gets the row and the results of the row before.
#[track_caller]
fn check_formulas(
    form: Form,
    definitions: &str,
    texts: &[&str],
    [first, second]: [&'static str; 2],
    expected: fn(usize, &[f64]) -> Vec<f64>,
) {
    let mut changes = vec![Nothing; 500];
    changes.push(Run(first));
    changes.extend([Nothing; 199]);
    changes.push(Run(second));
    for &mode in Mode::ALL {
        let host = Host::new(mode, |builder| builder);
        host.define(definitions);
        let states = ["a", "b", "c"];
        let n_states = if form == Form::Scan { texts.len() } else { 0 };
        let parameters: Vec<_> = states[..n_states].iter().copied().chain(["x"]).collect();
        let formulas = host.engine.formulas(texts, &parameters).unwrap();
        let xs: Vec<f64> = (0..N_ROWS).map(|row| row as f64).collect();
        let run = || {
            let mut outs = vec![vec![f64::NAN; N_ROWS]; texts.len()];
            let mut places: Vec<_> = outs.iter_mut().map(Vec::as_mut_slice).collect();
            match form {
                Form::Map => {
                    let options = MapOptions::new().on_this_thread();
                    formulas.map_with(options, &[&xs], &mut places).unwrap();
                }
                Form::Scan => formulas.scan(&vec![0.0; n_states], &[&xs], &mut places).unwrap(),
            }
            outs
        };
        run();
        if mode == Mode::Tiered && cfg!(feature = "llvm") {
            until(|| host.log.has_kernels(), || drop(run()));
        }
        *host.changes.lock().unwrap() = changes.clone();
        let n_before = host.log.n_left();
        let outs = run();
        let mut results = vec![0.0; texts.len()];
        for row in 0..N_ROWS {
            results = expected(row, &results);
            let got: Vec<_> = outs.iter().map(|out| out[row]).collect();
            assert_eq!(got, results, "{mode:?}: {form:?} of {texts:?}: row {row}");
        }
        let has_kernels = matches!(mode, Mode::Lazy | Mode::Eager | Mode::Tiered) && cfg!(feature = "llvm");
        assert!(!has_kernels || host.log.n_left() > n_before, "{mode:?}: {texts:?}: no kernel was left");
    }
}

/// What `v` is in this row, for calls behind the change.
fn v_of(row: usize) -> f64 {
    match row {
        0..500 => row as f64,
        500..700 => 1.0,
        _ => 2.0,
    }
}

/// The change is in the second of three formulas: in its row, the first has called the old
/// definition, and the third calls the new one.
#[test]
fn formulas_behind_the_change_call_the_new_definition() {
    let definitions = "def v(x) x; def w(x) v(x) * 2;";
    let texts = ["w(x)", "change() + x", "w(x) + v(x)"];
    check_formulas(Form::Map, definitions, &texts, ["def v(x) 1;", "def v(x) 2;"], |row, _| {
        let before = match row {
            0..=500 => row as f64,
            501..=700 => 1.0,
            _ => 2.0,
        };
        vec![before * 2.0, row as f64, v_of(row) * 3.0]
    });
}

/// A row of a scan that is left in the middle passes all of its results on.
#[test]
fn states_survive_a_change() {
    let definitions = "def v(x) x; def w(x) v(x) * 2;";
    let texts = ["a + w(x) - w(x) + 1", "change() + b + v(x)", "c + w(x) + a"];
    check_formulas(Form::Scan, definitions, &texts, ["def v(x) 1;", "def v(x) 2;"], |row, before| {
        let v = v_of(row);
        vec![before[0] + 1.0, before[1] + v, before[2] + v * 2.0 + before[0]]
    });
    // One state, in a loop.
    let texts = ["change() + a + (for i = 0, i < 3 in v(x)) + v(x)"];
    check_formulas(Form::Scan, definitions, &texts, ["def v(x) 1;", "def v(x) 2;"], |row, before| {
        vec![before[0] + v_of(row)]
    });
}

/// Another thread redefines something while rows are computed: rows of the old definition, then
/// rows of the new one.
#[track_caller]
fn check_other_thread(definitions: &str, redefined: fn(u64) -> String) {
    check_other_thread_in(Form::Map, definitions, redefined);
}

#[track_caller]
fn check_other_thread_in(form: Form, definitions: &str, redefined: fn(u64) -> String) {
    for mode in [Mode::Lazy, Mode::Tiered, Mode::Baseline, Mode::Off] {
        let host = Host::new(mode, |builder| builder);
        host.define(definitions);
        let f = host.engine.dyn_function("f").unwrap();
        // Enough for several pieces between which a batch notices the change.
        let is_by_columns = form == Form::Map && !definitions.contains("for");
        let n_rows = if mode == Mode::Off && !is_by_columns { 2_000 } else { 300_000 };
        let xs = vec![0.0; n_rows];
        let (version, is_done) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    let next = version.load(Ordering::SeqCst) + 1;
                    host.define(&redefined(next));
                    version.store(next, Ordering::SeqCst);
                    // Kernels are compiled in between.
                    let wait = std::time::Duration::from_millis(5);
                    thread::park_timeout(wait);
                }
            });
            let _done = SetWhenDropped(&is_done);
            let mut out = vec![0.0; n_rows];
            let mut n_mixed = 0;
            let mut map = || {
                let oldest = version.load(Ordering::SeqCst) as f64;
                match form {
                    Form::Map => f.map_with(MapOptions::new().on_this_thread(), &[&xs], &mut out).unwrap(),
                    Form::Scan => f.scan(0.0, &[&xs], &mut out).unwrap(),
                }
                let newest = version.load(Ordering::SeqCst) as f64 + 1.0;
                assert!(out.is_sorted(), "{mode:?}: rows go back to an old definition");
                assert!(oldest <= out[0] && out[n_rows - 1] <= newest, "{mode:?}: {oldest} to {newest}");
                n_mixed += usize::from(out[0] < out[n_rows - 1]);
                n_mixed
            };
            let began = std::time::Instant::now();
            while map() < 5 {
                assert!(began.elapsed() < crate::PATIENCE, "{mode:?}: no batch was changed");
            }
        });
    }
}

#[test]
fn another_thread_changes_what_rows_call() {
    check_other_thread("def v() 0; def f(x) x + v();", |version| format!("def v() {version};"));
    check_other_thread("def v() 0; def f(x) (for i = 0, i < 2 in i) + v();", |version| {
        format!("def v() {version};")
    });
}

#[test]
fn another_thread_changes_the_function_of_the_rows() {
    check_other_thread("def f(x) 0;", |version| format!("def f(x) {version};"));
    check_other_thread("def f(x) (for i = 0, i < 2 in i);", |version| {
        format!("def f(x) (for i = 0, i < 2 in i) + {version};")
    });
}

#[test]
fn another_thread_changes_what_a_scan_calls() {
    let redefined = |version| format!("def v() {version};");
    check_other_thread_in(Form::Scan, "def v() 0; def f(s x) s * 0 + x + v();", redefined);
    check_other_thread_in(Form::Scan, "def v() 0; def f(s x) (for i = 0, i < 2 in s) + v();", redefined);
}

/// On all threads, and as columns of Arrow: a batch that begins after a redefinition has no row of
/// the old definition, and one that ends before has none of the new one.
#[test]
fn parallel_batches_are_changed() {
    for mode in [Mode::Lazy, Mode::Tiered, Mode::Baseline] {
        let host = Host::new(mode, |builder| builder);
        host.define("def v() 0; def f(x) x + v(); def g(x) (for i = 0, i < 3 in 0) + v();");
        let (begun, ended, is_done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        let xs = vec![0.0; 200_000];
        #[cfg(feature = "arrow")]
        let column = arrow_array::Float64Array::from(xs.clone());
        thread::scope(|scope| {
            for name in ["f", "g"] {
                let function = host.engine.function::<(f64,)>(name).unwrap();
                let (begun, ended, is_done, xs) = (&begun, &ended, &is_done, &xs);
                #[cfg(feature = "arrow")]
                let column = &column;
                scope.spawn(move || {
                    let mut out = vec![0.0; xs.len()];
                    while !is_done.load(Ordering::Relaxed) {
                        let oldest = ended.load(Ordering::SeqCst) as f64;
                        function.map(&[xs], &mut out).unwrap();
                        let newest = begun.load(Ordering::SeqCst) as f64;
                        let is_current = |value: &f64| (oldest..=newest).contains(value);
                        assert!(out.iter().all(is_current), "{mode:?}: {name}: {oldest} to {newest}");
                        #[cfg(feature = "arrow")]
                        {
                            let oldest = ended.load(Ordering::SeqCst) as f64;
                            let out = function.map_arrow(&[column]).unwrap();
                            let newest = begun.load(Ordering::SeqCst) as f64;
                            let is_current = |value: &f64| (oldest..=newest).contains(value);
                            assert!(out.values().iter().all(is_current), "{mode:?}: {name}: Arrow");
                        }
                    }
                });
            }
            let _done = SetWhenDropped(&is_done);
            for version in 1..=60 {
                begun.store(version, Ordering::SeqCst);
                host.define(&format!("def v() {version};"));
                ended.store(version, Ordering::SeqCst);
                thread::park_timeout(std::time::Duration::from_millis(5));
            }
        });
    }
}

#[test]
fn an_error_of_a_changed_row_ends_the_batch() {
    for &mode in Mode::ALL {
        let host = Host::new(mode, |builder| builder);
        host.define("def v(x) x; def f(x) change() + v(x);");
        let f = host.engine.function::<(f64,)>("f").unwrap();
        let mut out = vec![f64::NAN; N_ROWS];
        let map = |out: &mut Vec<f64>| {
            f.map_with(MapOptions::new().on_this_thread(), &[&[3.0; N_ROWS]], out)
                .map_err(|error| error.code())
        };
        map(&mut out).unwrap();
        if mode == Mode::Tiered && cfg!(feature = "llvm") {
            until(|| host.log.has_kernel("f"), || map(&mut out.clone()).unwrap());
        }
        for change in [Run("def v(x y) x;"), super::Remove("v"), super::Fail, super::Interrupt] {
            host.define("def v(x) x;");
            map(&mut out).unwrap();
            let changes = [Run("def v(x) 2;"), Nothing, change];
            host.changes.lock().unwrap().extend(changes);
            let error = map(&mut out).unwrap_err();
            let expected = match change {
                super::Fail => DiagnosticCode::HostError,
                super::Interrupt => DiagnosticCode::Interrupted,
                _ => error,
            };
            assert_eq!(error, expected, "{mode:?}: {change:?}");
            assert_eq!(host.result("change() + 4;"), "4.0");
        }
    }
}
