//! Batches, scans and formulas together over arrays of the host.

use super::with_u;
use kaleidoscope::{Array, DiagnosticCode, Engine, Mode, Statistics};

/// Columns are gathered. A row whose index is wrong gives the error of a single call.
#[test]
fn batches_use_arrays() {
    const N: usize = 4_000;
    for &mode in Mode::ALL {
        let table: Vec<_> = (0..100).map(|nth| f64::from(nth * nth)).collect();
        let (engine, u) = with_u(mode, &table);
        let formula = engine.formula("u(i) * x + u(i / 2)", &["i", "x"]).unwrap();
        let mut indices: Vec<_> = (0..N).map(|row| (row * 7 % 100) as f64 + 0.5).collect();
        let xs: Vec<_> = (0..N).map(|row| row as f64).collect();
        let mut out = vec![0.0; N];
        for round in 0..4 {
            formula.map(&[&indices, &xs], &mut out).unwrap();
            for row in 0..N {
                let at = indices[row];
                let expected = table[at as usize] * xs[row] + table[(at / 2.0) as usize];
                assert_eq!(out[row], expected, "{mode:?}, {round}: row {row}");
            }
        }
        for (row, index) in [(N - 1, 100.0), (0, f64::NAN), (N / 2, -1.0)] {
            let before = std::mem::replace(&mut indices[row], index);
            let error = formula.map(&[&indices, &xs], &mut out).unwrap_err();
            let single = formula.call(&[index, 1.0]).unwrap_err();
            assert_eq!(error, single, "{mode:?}");
            indices[row] = before;
        }
        // Rows that write arrays run in order.
        let running = engine.formula("u(0) = u(0) + x", &["x"]).unwrap();
        for _ in 0..4 {
            u.set(0, 0.0);
            running.map(&[&xs], &mut out).unwrap();
            let mut sum = 0.0;
            for (x, out) in xs.iter().zip(&out) {
                sum += x;
                assert_eq!(*out, sum, "{mode:?}");
            }
        }
    }
}

/// A read needs no calls. An index that is wrong only in rows that take another branch does no
/// harm.
#[test]
fn elements_are_gathered_by_columns() {
    const N: usize = 5_000;
    let statistics = Statistics::new();
    let builder = Engine::builder().mode(Mode::Baseline).observer(statistics.clone());
    let u = Array::from_slice(&[5.0, 6.0, 7.0]);
    let engine = builder.bind_array("u", &u).build().unwrap();
    let formula = engine.formula("if i < 3 then u(i) * 2 else 0 - 1", &["i"]).unwrap();
    let indices: Vec<_> = (0..N).map(|row| (row % 5) as f64).collect();
    let mut out = vec![0.0; N];
    formula.map(&[&indices], &mut out).unwrap();
    let expected = [10.0, 12.0, 14.0, -1.0, -1.0];
    assert!(out.iter().enumerate().all(|(row, out)| *out == expected[row % 5]));
    let rows = statistics.totals().rows;
    assert_eq!((rows.by_columns, rows.by_calls, rows.by_kernel), (N, 0, 0));
    // What no result needs is checked all the same.
    let unneeded = engine.formula("var x = u(i) in 1", &["i"]).unwrap();
    let error = unneeded.map(&[&indices], &mut out).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::IndexOutOfRange);
}

#[test]
fn formulas_that_are_evaluated_together_use_arrays() {
    const N: usize = 3_000;
    for &mode in Mode::ALL {
        let (engine, _) = with_u(mode, &[1.0, 2.0, 4.0]);
        let both = engine.formulas(&["u(i) + x", "if x < 9 then u(i) * x else 0"], &["i", "x"]).unwrap();
        let mut indices: Vec<_> = (0..N).map(|row| (row % 3) as f64).collect();
        let (xs, mut sums, mut products) = ([2.0; N], [0.0; N], [0.0; N]);
        for _ in 0..3 {
            both.map(&[&indices, &xs], &mut [&mut sums, &mut products]).unwrap();
            assert_eq!(
                (sums[4], products[4], sums[N - 1], products[N - 1]),
                (4.0, 4.0, 6.0, 8.0),
                "{mode:?}"
            );
            indices[7] = -1.0;
            let error = both.map(&[&indices, &xs], &mut [&mut sums, &mut products]).unwrap_err();
            assert_eq!(error.code(), DiagnosticCode::IndexOutOfRange, "{mode:?}");
            indices[7] = 1.0;
        }
    }
}

/// A scan keeps its order, and says in which row an index is wrong.
#[test]
fn scans_use_arrays() {
    const N: usize = 3_000;
    for &mode in Mode::ALL {
        let (engine, u) = with_u(mode, &[1.0, 2.0, 4.0]);
        let scan = engine.formula("s + u(i)", &["s", "i"]).unwrap();
        let count = engine.formula("s + (u(0) = u(0) + i)", &["s", "i"]).unwrap();
        let mut indices: Vec<_> = (0..N).map(|row| (row % 3) as f64).collect();
        let mut out = vec![0.0; N];
        for _ in 0..3 {
            scan.scan(0.5, &[&indices], &mut out).unwrap();
            assert_eq!((out[0], out[3], out[N - 1]), (1.5, 8.5, 7.0 * 1000.0 + 0.5), "{mode:?}");
            count.scan(0.0, &[&vec![1.0; N]], &mut out).unwrap();
            assert_eq!((out[0], out[1], u.get(0)), (2.0, 5.0, Some(3_001.0)), "{mode:?}");
            u.set(0, 1.0);
            indices[2_000] = 3.0;
            let error = scan.scan(0.5, &[&indices], &mut out).unwrap_err();
            assert_eq!((error.code(), error.row()), (DiagnosticCode::IndexOutOfRange, Some(2_000)));
            indices[2_000] = 2.0;
        }
    }
}

/// All rows, on all threads, and the error of one of them.
#[test]
fn large_batches_read_arrays() {
    const N: usize = 300_000;
    for &mode in &[Mode::Baseline, Mode::Tiered] {
        let (engine, u) = with_u(mode, &(0..1000).map(f64::from).collect::<Vec<_>>());
        let formula = engine.formula("u(i) + 1", &["i"]).unwrap();
        let mut indices: Vec<_> = (0..N).map(|row| (row % 1000) as f64).collect();
        let mut out = vec![0.0; N];
        for _ in 0..3 {
            formula.map(&[&indices], &mut out).unwrap();
            assert!(out.iter().zip(&indices).all(|(out, index)| *out == index + 1.0), "{mode:?}");
        }
        indices[N - 5] = 1000.0;
        let error = formula.map(&[&indices], &mut out).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::IndexOutOfRange);
        drop(u);
    }
}
