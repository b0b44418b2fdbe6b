//! Batches: a function applied to columns.

use crate::program::{add, in_each_mode, ir};
use kaleidoscope_jit::{CallLimits, HostFunction, MapOptions, Trap};

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
