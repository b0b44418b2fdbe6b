//! Batches: functions applied to columns, alone and in groups; scans and folds.

use crate::program::{add, in_each_mode, ir};
use kaleidoscope_jit::ir::{Function, FunctionId};
use kaleidoscope_jit::{CallLimits, Group, HostFunction, Jit, MapOptions, Trap};

/// A group of functions of these parameters.
fn group(jit: &Jit, parameters: &[&str], members: &[FunctionId]) -> Group {
    let parameters: Vec<_> = parameters.iter().map(|&name| name.into()).collect();
    let function = add(jit, Function::of_calls("group", parameters, members).into());
    jit.group(function, members)
}

#[test]
fn a_batch_computes_each_row() {
    in_each_mode(|jit| {
        let function = add(jit, ir("function f(x.0 y.1)\nget x.0\nget y.1\nmultiply\nnumber 1\nadd"));
        let xs: Vec<f64> = (0..5_000).map(f64::from).collect();
        let mut out = vec![0.0; xs.len()];
        for options in [MapOptions::new(), MapOptions::new().on_this_thread()] {
            out.fill(0.0);
            jit.map(jit.callable(function), options, &[&xs, &xs], &mut out, CallLimits::new()).unwrap();
            assert!(xs.iter().zip(&out).all(|(x, y)| *y == x * x + 1.0));
        }
    });
}

#[test]
fn columns_that_do_not_fit_are_traps() {
    in_each_mode(|jit| {
        let function = jit.callable(add(jit, ir("function f(x.0)\nget x.0")));
        let mut out = [0.0; 3];
        let mut map = |columns: &[&[f64]]| {
            let trap = jit.map(function, MapOptions::new(), columns, &mut out, CallLimits::new());
            trap.unwrap_err()
        };
        assert!(matches!(map(&[]), Trap::ArgumentCount { given: 0, takes: 1, .. }));
        assert!(matches!(map(&[&[1.0; 2]]), Trap::ColumnLength { column: 0, given: 2, takes: 3 }));
    });
}

#[test]
fn the_first_trap_ends_a_batch() {
    in_each_mode(|jit| {
        let host = jit.declare(1).unwrap();
        let closure = |args: &[f64]| if args[0] < 3.0 { Ok(args[0] + 1.0) } else { Err("too large".into()) };
        jit.define_host(host, HostFunction::new("host", closure)).unwrap();
        let mut out = [0.0; 5];
        let columns: [&[f64]; 1] = [&[0.0, 1.0, 2.0, 3.0, 4.0]];
        let options = MapOptions::new().on_this_thread();
        let mapped = jit.map(jit.callable(host), options, &columns, &mut out, CallLimits::new());
        assert_eq!(mapped.unwrap_err().to_string(), "`host` failed: too large");
        assert_eq!(out, [1.0, 2.0, 3.0, 0.0, 0.0]);
    });
}

const PRODUCT: &str = "function product(x.0 y.1)\nget x.0\nget y.1\nmultiply";
const SUM: &str = "function sum(x.0 y.1)\nget x.0\nget y.1\nadd";

#[test]
fn a_group_has_the_results_of_its_members() {
    in_each_mode(|jit| {
        let members = [add(jit, ir(PRODUCT)), add(jit, ir(SUM))];
        let group = group(jit, &["x", "y"], &members);
        let mut results = [0.0; 2];
        for _ in 0..3 {
            jit.call_group(&group, &[3.0, 4.0], &mut results, CallLimits::new()).unwrap();
            assert_eq!(std::mem::take(&mut results), [12.0, 7.0]);
        }
        jit.enter(CallLimits::new(), |scope| scope.call_group(&group, &[3.0, 4.0], &mut results))
            .unwrap()
            .unwrap();
        assert_eq!(results, [12.0, 7.0]);
        let xs: Vec<f64> = (0..5_000).map(f64::from).collect();
        for options in [MapOptions::new(), MapOptions::new().on_this_thread()] {
            for n_rows in [0, 1, 5, 5_000, 5_000] {
                let columns = [&xs[..n_rows]; 2];
                let (mut products, mut sums) = (vec![0.0; n_rows], vec![0.0; n_rows]);
                let outs: &mut [&mut [f64]] = &mut [&mut products, &mut sums];
                jit.map_group(&group, options, &columns, outs, CallLimits::new()).unwrap();
                assert!(xs.iter().zip(products).all(|(x, product)| product == x * x));
                assert!(xs.iter().zip(sums).all(|(x, sum)| sum == x + x));
            }
        }
    });
}

#[test]
fn a_function_with_several_results_cannot_be_called() {
    in_each_mode(|jit| {
        let both = add(jit, ir("function both(x.0), results 2\nget x.0\nget x.0"));
        let caller = add(jit, ir(&format!("function f(x.0)\nget x.0\ncall #{}/1", both.index())));
        for function in [both, caller] {
            for _ in 0..3 {
                let trap = jit.call(jit.callable(function), &[1.0], CallLimits::new()).unwrap_err();
                assert_eq!(
                    trap.to_string(),
                    "`both` cannot be compiled: it has 2 results, and a call has one"
                );
            }
        }
        let mut out = vec![0.0; 2_000];
        let xs = vec![1.0; 2_000];
        let mapped = jit.map(jit.callable(caller), MapOptions::new(), &[&xs], &mut out, CallLimits::new());
        assert!(matches!(mapped, Err(Trap::Compile { .. })));
    });
}

#[test]
fn what_does_not_fit_a_group_is_a_trap() {
    in_each_mode(|jit| {
        let members = [add(jit, ir(PRODUCT)), add(jit, ir(SUM))];
        let group = group(jit, &["x", "y"], &members);
        let limits = CallLimits::new();
        let xs = [1.0; 3];
        let call = |args: &[f64], n| jit.call_group(&group, args, &mut vec![0.0; n], limits).unwrap_err();
        assert!(matches!(call(&[1.0], 2), Trap::ArgumentCount { given: 1, takes: 2, .. }));
        assert!(matches!(call(&[1.0, 2.0], 3), Trap::ResultCount { given: 3, takes: 2 }));
        let map = |columns: &[&[f64]], lengths: &[usize]| {
            let mut outs: Vec<_> = lengths.iter().map(|len| vec![0.0; *len]).collect();
            let mut outs: Vec<_> = outs.iter_mut().map(Vec::as_mut_slice).collect();
            jit.map_group(&group, MapOptions::new(), columns, &mut outs, limits).unwrap_err()
        };
        assert!(matches!(map(&[&xs], &[3, 3]), Trap::ArgumentCount { given: 1, takes: 2, .. }));
        assert!(matches!(map(&[&xs, &xs], &[3]), Trap::ResultCount { given: 1, takes: 2 }));
        assert!(matches!(map(&[&xs, &xs], &[3, 2]), Trap::ResultLength { result: 1, given: 2, takes: 3 }));
        assert!(matches!(map(&[&xs, &xs[1..]], &[3, 3]), Trap::ColumnLength { column: 1, .. }));
        let trap = jit.fold_group(&group, &[1.0], &[&xs], limits).unwrap_err();
        assert!(trap.row.is_none() && matches!(trap.trap, Trap::ResultCount { given: 1, takes: 2 }));
        let trap = jit.fold_group(&group, &[1.0, 2.0], &[&xs], limits).unwrap_err();
        assert!(matches!(trap.trap, Trap::ArgumentCount { given: 3, takes: 2, .. }));
    });
}

#[test]
fn a_scan_passes_each_result_to_the_next_row() {
    in_each_mode(|jit| {
        let text =
            "function average(s.0 x.1)\nget s.0\nget x.1\nget s.0\nsubtract\nnumber 0.25\nmultiply\nadd";
        let average = jit.callable(add(jit, ir(text)));
        let limits = CallLimits::new();
        let xs: Vec<f64> = (0..3_000).map(|row| f64::from(row * 7_919 % 1_003)).collect();
        let states = xs.iter().scan(2.0, |s, x| {
            *s += (x - *s) * 0.25;
            Some(*s)
        });
        let expected: Vec<f64> = states.collect();
        for n_rows in [1, 2, 999, 3_000, 3_000] {
            let mut out = vec![0.0; n_rows];
            jit.scan(average, 2.0, &[&xs[..n_rows]], &mut out, limits).unwrap();
            assert_eq!(out, expected[..n_rows]);
            assert_eq!(jit.fold(average, 2.0, &[&xs[..n_rows]], limits).unwrap(), expected[n_rows - 1]);
        }
        jit.scan(average, 2.0, &[&[]], &mut [], limits).unwrap();
        assert_eq!(jit.fold(average, 2.0, &[&[]], limits).unwrap(), 2.0);
    });
}

/// Each row sees the states of the row before, whatever the order of the members.
#[test]
fn a_scan_has_several_states() {
    in_each_mode(|jit| {
        let second = add(jit, ir("function second(a.0 b.1 x.2)\nget b.1"));
        let next = add(jit, ir("function next(a.0 b.1 x.2)\nget a.0\nget b.1\nadd\nget x.2\nadd"));
        let group = group(jit, &["a", "b", "x"], &[second, next]);
        let limits = CallLimits::new();
        let xs = vec![0.0; 1_400];
        for _ in 0..2 {
            let (mut a, mut b) = (vec![0.0; xs.len()], vec![0.0; xs.len()]);
            jit.scan_group(&group, &[0.0, 1.0], &[&xs], &mut [&mut a, &mut b], limits).unwrap();
            assert_eq!((a[10], b[10]), (89.0, 144.0));
            assert!((1..1_400).all(|row| a[row] == b[row - 1]));
            let folded = jit.fold_group(&group, &[0.0, 1.0], &[&xs], limits).unwrap();
            assert_eq!(folded, [a[1_399], b[1_399]]);
        }
    });
}

#[test]
fn the_trap_of_a_scan_has_the_row() {
    in_each_mode(|jit| {
        let host = jit.declare(1).unwrap();
        let closure = |args: &[f64]| if args[0] < 3.0 { Ok(args[0]) } else { Err("too large".into()) };
        jit.define_host(host, HostFunction::new("host", closure)).unwrap();
        let text = format!("function f(s.0 x.1)\nget x.1\ncall #{}/1\nget s.0\nadd", host.index());
        let f = jit.callable(add(jit, ir(&text)));
        let limits = CallLimits::new();
        for n_before in [3, 2_000, 2_000] {
            let xs: Vec<f64> = (0..n_before + 5).map(|row| if row < n_before { 1.0 } else { 3.0 }).collect();
            let mut out = vec![-1.0; xs.len()];
            let trap = jit.scan(f, 0.5, &[&xs], &mut out, limits).unwrap_err();
            assert_eq!(trap.to_string(), format!("row {n_before}: `host` failed: too large"));
            let is_written = |row: usize| out[row] == row as f64 + 1.5;
            assert!((0..n_before).all(is_written) && out[n_before..].iter().all(|value| *value == -1.0));
            let trap = jit.fold(f, 0.5, &[&xs], limits).unwrap_err();
            assert_eq!(trap.row, Some(n_before));
        }
    });
}
