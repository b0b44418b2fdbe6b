//! The maths functions are those of the C library.

use std::fs::read_to_string;

use kaleidoscope_native::maths;

use crate::arch::call_with_two_lanes;
use crate::support::Script;

/// All functions that programs may call.
const NAMES: &str = "sin cos tan asin acos atan atan2 sinh cosh tanh exp log log10 log2 pow sqrt cbrt floor ceil round \
    trunc fabs fmod fmin fmax hypot asinh acosh atanh exp2 expm1 log1p rint erf erfc tgamma";

#[test]
fn the_table_is_complete() {
    let mut expected: Vec<_> = NAMES.split_whitespace().collect();
    let mut actual: Vec<_> = maths::all().iter().map(maths::MathsEntry::name).collect();
    expected.sort_unstable();
    actual.sort_unstable();
    assert_eq!(actual, expected);
    assert!(maths::find("system").is_none());
}

#[test]
fn the_functions_are_those_of_libm() {
    // The first look-up loads libm, so the mappings are read after it.
    let addresses: Vec<_> = maths::all().iter().map(|entry| entry.address().get()).collect();
    let maps = read_to_string("/proc/self/maps").unwrap();
    for (entry, address) in maths::all().iter().zip(addresses) {
        if entry.name() == "tgamma" {
            // It has a wrapper.
            continue;
        }
        let line = maps.lines().find(|line| {
            let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let parse = |text| usize::from_str_radix(text, 16).unwrap();
            (parse(start)..parse(end)).contains(&address)
        });
        assert!(line.unwrap().contains("libm"), "{} lies in {line:?}", entry.name());
    }
}

#[test]
fn calls_through_the_table_and_by_address_give_the_same_bits() {
    let samples = [0.0, -0.0, 0.5, 1.0, 2.0, -3.5, 1e300, 5e-324, f64::INFINITY, f64::NAN, 10.0, 0.1];
    for entry in maths::all() {
        for x in samples {
            for y in samples {
                let args = &[x, y][..entry.arity() as usize];
                let by_address = Script::new().call(entry.address(), args).unwrap();
                assert_eq!(entry.call(args).to_bits(), by_address.to_bits(), "{}({args:?})", entry.name());
            }
        }
    }
}

#[test]
fn rows_have_the_bits_of_calls() {
    let xs: Vec<f64> =
        (0..100).map(|row| f64::from(row) * 0.37 - 9.0).chain([f64::NAN, -0.0, 1e300]).collect();
    let ys: Vec<f64> = xs.iter().rev().copied().collect();
    for entry in maths::all() {
        let args = &[&*xs, &*ys][..entry.arity() as usize];
        let mut out = vec![1.0; xs.len()];
        entry.call_rows(args, &mut out);
        for (row, result) in out.iter().enumerate() {
            let args: Vec<_> = args.iter().map(|arg| arg[row]).collect();
            assert_eq!(result.to_bits(), entry.call(&args).to_bits(), "{}({args:?})", entry.name());
        }
    }
}

#[test]
fn results_are_those_of_c() {
    let value = |name, args: &[f64]| maths::find(name).unwrap().call(args);
    assert_eq!(value("fmin", &[f64::NAN, 1.0]), 1.0);
    assert_eq!(value("pow", &[2.0, 3.5]).to_bits(), 11.313708498984761_f64.to_bits());
    assert_eq!(value("rint", &[2.5]), 2.0);
    assert_eq!(value("round", &[2.5]), 3.0);
    assert_eq!(value("fmod", &[-7.0, 3.0]), -1.0);
    assert_eq!(value("tgamma", &[5.0]), 24.0);
}

#[test]
fn a_wrong_number_of_arguments_panics() {
    assert!(std::panic::catch_unwind(|| maths::find("pow").unwrap().call(&[1.0])).is_err());
    assert!(std::panic::catch_unwind(|| maths::find("sin").unwrap().call(&[1.0, 2.0])).is_err());
    let rows = |args: &[&[f64]]| maths::find("pow").unwrap().call_rows(args, &mut [0.0; 2]);
    rows(&[&[1.0, 2.0], &[3.0, 4.0]]);
    assert!(std::panic::catch_unwind(|| rows(&[&[1.0, 2.0]])).is_err());
    assert!(std::panic::catch_unwind(|| rows(&[&[1.0, 2.0], &[3.0]])).is_err());
}

#[test]
fn vector_functions_are_near_scalar_functions() {
    // glibc has these four since version 2.22, for every processor.
    for name in ["sin", "cos", "exp", "log"] {
        let entry = maths::find(name).unwrap();
        let results = call_with_two_lanes(entry.vector_address(2).unwrap(), [0.75, 2.5]);
        for (x, result) in [0.75, 2.5].into_iter().zip(results) {
            assert!((entry.call(&[x]) - result).abs() <= 4.0 * f64::EPSILON * result.abs(), "{name}({x})");
        }
    }
    assert!(maths::find("tgamma").unwrap().vector_address(2).is_none());
    assert!(maths::find("sin").unwrap().vector_address(3).is_none());
}
