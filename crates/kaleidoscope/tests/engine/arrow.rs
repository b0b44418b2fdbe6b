//! Batches over columns of Apache Arrow: nulls, and the same behavior as with slices.

use crate::engine;
use arrow_array::{Array, Float64Array};
use kaleidoscope::{DiagnosticCode, Mode, Precision};

/// A column whose every third row is null, from row `null` on.
fn column(n: usize, null: usize) -> Float64Array {
    (0..n).map(|row| (row % 3 != null).then_some(row as f64 / 4.0)).collect()
}

#[test]
fn a_null_in_any_column_makes_the_result_null() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.run("def f(x y) x * 2 + y;").ok().unwrap();
        let f = engine.function::<(f64, f64)>("f").unwrap();
        for n in [0, 1, 5, 3_000] {
            let out = f.map_arrow(&[&column(n, 0), &column(n, 1)]).unwrap();
            assert_eq!(out.len(), n);
            for row in 0..n {
                assert_eq!(out.is_null(row), row % 3 != 2, "{mode:?}: row {row}");
                assert!(out.is_null(row) || out.value(row) == row as f64 * 0.75);
            }
            let whole = f.map_arrow(&[&column(n, 3), &column(n, 3)]).unwrap();
            assert_eq!((whole.len(), whole.null_count()), (n, 0));
        }
    }
}

#[test]
fn functions_are_not_called_for_nulls() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.run("extern missing(x); def f(x) if x < 1 then missing(x) else x;").ok().unwrap();
        let f = engine.dyn_function("f").unwrap();
        // The value of a null row is 0.
        let out = f.map_arrow(&[&Float64Array::from(vec![None, Some(1.0), None])]).unwrap();
        assert_eq!(out, Float64Array::from(vec![None, Some(1.0), None]), "{mode:?}");
        let error = f.map_arrow(&[&Float64Array::from(vec![Some(0.0)])]).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::MissingHostFunction, "{mode:?}");
    }
}

#[test]
fn a_slice_of_a_column_is_a_column() {
    let engine = engine(Mode::Lazy);
    let double = engine.formula("x * 2", &["x"]).unwrap();
    let part = column(3_000, 0).slice(1, 4);
    let out = double.map_arrow_with(Precision::Fast, &[&part]).unwrap();
    assert_eq!(out, Float64Array::from(vec![Some(0.5), Some(1.0), None, Some(2.0)]));
}

#[test]
fn wrong_columns_are_errors() {
    let engine = engine(Mode::Lazy);
    let sum = engine.formula("x + y", &["x", "y"]).unwrap();
    let error = sum.map_arrow(&[&column(3, 0), &column(4, 0)]).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::WrongColumnLength);
    assert_eq!(sum.map_arrow(&[&column(3, 0)]).unwrap_err().code(), DiagnosticCode::WrongArgumentCount);
    assert_eq!(engine.formula("4", &[]).unwrap().map_arrow(&[]).unwrap().len(), 0);
}

#[test]
fn all_results_of_a_null_row_are_null() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let formulas = engine.formulas(&["x + y", "x - y"], &["x", "y"]).unwrap();
        for n in [0, 1, 5, 3_000] {
            let outs = formulas.map_arrow(&[&column(n, 0), &column(n, 1)]).unwrap();
            for row in 0..n {
                assert!(outs.iter().all(|out| out.is_null(row) == (row % 3 != 2)), "{mode:?}: row {row}");
                let x = row as f64 / 4.0;
                assert!(outs[0].is_null(row) || (outs[0].value(row), outs[1].value(row)) == (2.0 * x, 0.0));
            }
        }
    }
}

/// A null row has no result, and the next row continues from the row before it.
#[test]
fn a_null_row_leaves_the_state() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let sum = engine.formula("s * 0.5 + x", &["s", "x"]).unwrap();
        for n in [0, 1, 2, 3_000] {
            let column = column(n, 1);
            for _ in 0..2 {
                let out = sum.scan_arrow(8.0, &[&column]).unwrap();
                let mut state = 8.0;
                for row in 0..n {
                    assert_eq!(out.is_null(row), column.is_null(row), "{mode:?}: row {row}");
                    if column.is_valid(row) {
                        state = state * 0.5 + column.value(row);
                        assert_eq!(out.value(row), state, "{mode:?}: row {row}");
                    }
                }
                assert_eq!(sum.fold_arrow(8.0, &[&column]).unwrap(), state);
            }
        }
        let nulls = Float64Array::from(vec![None, None]);
        assert_eq!(sum.fold_arrow(8.0, &[&nulls]).unwrap(), 8.0);
        assert_eq!(sum.scan_arrow(8.0, &[&nulls]).unwrap(), nulls);
        let both = engine.formulas(&["n + 1", "s + x"], &["n", "s", "x"]).unwrap();
        let outs = both.scan_arrow(&[0.0, 0.0], &[&column(4, 1)]).unwrap();
        assert_eq!(outs[0], Float64Array::from(vec![Some(1.0), None, Some(2.0), Some(3.0)]));
        assert_eq!(both.fold_arrow(&[0.0, 0.0], &[&column(4, 1)]).unwrap(), [3.0, 1.25]);
    }
}

/// The row of an error counts the null rows before it.
#[test]
fn errors_of_scans_name_the_row_of_the_column() {
    let engine = engine(Mode::Lazy);
    engine.run("extern missing(x); def f(s x) if x then s + x else missing(x);").ok().unwrap();
    let f = engine.dyn_function("f").unwrap();
    let column = Float64Array::from(vec![None, Some(1.0), None, Some(0.0), Some(1.0)]);
    assert_eq!(f.scan_arrow(0.0, &[&column]).unwrap_err().row(), Some(3));
    let error = f.fold_arrow(0.0, &[&column]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 3: `missing` was called in `f` (text:1): `extern` declares it, and the host does not provide it"
    );
}
