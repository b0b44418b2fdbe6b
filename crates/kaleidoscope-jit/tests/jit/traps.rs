//! Traps: every way in which a call ends without a value. The engine stays usable.

use crate::program::{add, call, constant, endless, in_each_mode, ir};
use kaleidoscope_jit::{Array, CallLimits, HostFunction, Jit, Mode, Trap, Variable};
use std::time::Duration;

#[test]
fn endless_recursion_overflows_the_guest_stack() {
    for &mode in Mode::ALL {
        let jit = Jit::builder().mode(mode).stack_bytes(1 << 20).build().unwrap();
        let function = add(&jit, ir("function f(x.0)\nget x.0\ncall #0/1\nnumber 1\nadd"));
        let trap = call(&jit, function, &[0.0]).unwrap_err();
        let Trap::StackOverflow { inside } = trap else { panic!("{trap}") };
        assert!(inside.iter().all(|name| &**name == "f"), "{inside:?}");
        jit.define(function, ir("function f(x.0)\nget x.0")).unwrap();
        assert_eq!(call(&jit, function, &[1.0]).unwrap(), 1.0);
    }
}

#[test]
fn a_deadline_ends_an_endless_loop() {
    in_each_mode(|jit| {
        let function = add(jit, endless());
        let limits = CallLimits::new().time(Duration::from_millis(5));
        let called = jit.call(jit.callable(function), &[], limits);
        assert!(matches!(called, Err(Trap::DeadlinePassed { .. })), "{called:?}");
        let ran = jit.run_once(&endless(), limits);
        assert!(matches!(ran, Err(Trap::DeadlinePassed { .. })), "{ran:?}");
    });
}

#[test]
fn an_interrupt_ends_the_calls_that_run() {
    in_each_mode(|jit| {
        let interrupter = jit.interrupter();
        let host = jit.declare(0).unwrap();
        let interrupt = HostFunction::new("interrupt", move |_| {
            interrupter.interrupt();
            Ok(0.0)
        });
        jit.define_host(host, interrupt).unwrap();
        let inner = add(jit, endless());
        let outer = add(jit, ir(&format!("function outer()\ncall #0/0\ncall #{}/0\nadd", inner.index())));
        let called = call(jit, outer, &[]);
        assert!(matches!(called, Err(Trap::Interrupted { .. })), "{called:?}");
        let one = add(jit, constant("one", 1.0));
        assert_eq!(call(jit, one, &[]).unwrap(), 1.0);
    });
}

#[test]
fn errors_and_panics_of_host_functions_are_traps() {
    in_each_mode(|jit| {
        let host = jit.declare(1).unwrap();
        let closure = |args: &[f64]| match args[0] {
            0.0 => Err("zero is not allowed".into()),
            1.0 => panic!("one is a mistake"),
            other => Ok(other),
        };
        jit.define_host(host, HostFunction::new("host", closure)).unwrap();
        let outer = add(jit, ir("function outer(x.0)\nget x.0\ncall #0/1"));
        for function in [host, outer] {
            let message = |x: f64| call(jit, function, &[x]).unwrap_err().to_string();
            assert_eq!(message(0.0), "`host` failed: zero is not allowed");
            assert_eq!(message(1.0), "`host` panicked: one is a mistake");
            assert_eq!(call(jit, function, &[2.0]).unwrap(), 2.0);
        }
    });
}

#[test]
fn a_loop_waits_for_a_host_variable() {
    in_each_mode(|jit| {
        let go = Variable::new(1.0);
        let id = jit.bind("go", &go);
        let host = jit.declare(0).unwrap();
        let shared = go.clone();
        let stop = HostFunction::new("stop", move |_| {
            shared.set(0.0);
            Ok(0.0)
        });
        jit.define_host(host, stop).unwrap();
        let text = format!(
            "function wait(), locals i.0\nnumber 0\nset i.0\ndrop\nloop\ncall #0/0\ndrop\n\
             number 1\nget_host #{}\nnext i.0\nget i.0",
            id.index()
        );
        let wait = add(jit, ir(&text));
        assert_eq!(call(jit, wait, &[]).unwrap(), 1.0);
        assert_eq!(jit.variable(id).get(), 0.0);
    });
}

#[test]
fn an_index_without_element_is_a_trap() {
    in_each_mode(|jit| {
        let cells = Array::from_slice(&[1.0, 2.0]);
        let id = jit.bind_array("cells", &cells);
        assert!(jit.array(id).is_same(&cells));
        let read = add(jit, ir("function read(i.0)\nget i.0\nget_element #0"));
        let copy = add(jit, ir("function copy(i.0)\nget i.0\nget i.0\ncall #0/1\nset_element #0"));
        for _ in 0..3 {
            assert_eq!(call(jit, copy, &[1.5]).unwrap(), 2.0);
            for function in [read, copy] {
                let trap = call(jit, function, &[2.0]).unwrap_err();
                let text = trap.to_string();
                assert_eq!(text, "index out of range: `cells` has 2 elements, the index is 2");
                let Trap::BadIndex { index, inside } = trap else { panic!("{trap}") };
                assert_eq!((index.index, index.len, &**inside.first().unwrap()), (2.0, 2, "read"));
            }
        }
    });
}

#[test]
fn machine_code_has_a_limit() {
    let jit = Jit::builder().mode(Mode::Baseline).max_code_bytes(0).build().unwrap();
    let function = add(&jit, constant("f", 1.0));
    assert_eq!(call(&jit, function, &[]).unwrap(), 1.0, "the first call needs no code");
    assert!(matches!(call(&jit, function, &[]), Err(Trap::CodeMemoryFull { limit: 0 })));
}

#[test]
fn calls_in_a_scope_trap_one_by_one() {
    in_each_mode(|jit| {
        let host = jit.declare(1).unwrap();
        let closure = |args: &[f64]| if args[0] < 0.0 { Err("negative".into()) } else { Ok(args[0].sqrt()) };
        jit.define_host(host, HostFunction::new("root", closure)).unwrap();
        let root = jit.callable(host);
        let values = jit.enter(CallLimits::new(), |scope| {
            [4.0, -1.0, 9.0].map(|x| scope.call(root, &[x]).unwrap_or(f64::NAN))
        });
        let [two, none, three] = values.unwrap();
        assert!(two == 2.0 && none.is_nan() && three == 3.0);
    });
}
