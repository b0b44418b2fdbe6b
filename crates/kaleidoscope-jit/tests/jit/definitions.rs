//! Definitions: redefinition, withdrawal, versions, several at once, host functions, forks.

use crate::program::{add, call, caller, constant, in_each_mode, ir};
use kaleidoscope_jit::ir::{FunctionId, MathsFunction};
use kaleidoscope_jit::{
    CallLimits, Change, Definition, Embedder, HostError, HostFunction, Jit, Mode, Trap, Variable,
};
use std::sync::Arc;

#[test]
fn callers_run_the_new_definition() {
    in_each_mode(|jit| {
        let callee = add(jit, constant("callee", 1.0));
        let outer = add(jit, caller("outer", callee));
        assert_eq!(call(jit, outer, &[]).unwrap(), 1.0);
        jit.define(callee, constant("callee", 2.0)).unwrap();
        assert_eq!(call(jit, outer, &[]).unwrap(), 2.0);
    });
}

#[test]
fn a_withdrawn_function_can_be_defined_again_as_another_version() {
    in_each_mode(|jit| {
        let callee = add(jit, constant("first", 1.0));
        let outer = add(jit, caller("outer", callee));
        assert_eq!((call(jit, outer, &[]).unwrap(), jit.version(callee)), (1.0, 1));
        jit.withdraw(callee).unwrap();
        assert!(
            matches!(call(jit, outer, &[]), Err(Trap::Unavailable { function, .. }) if function == callee)
        );
        assert_eq!((jit.version(callee), jit.ir(callee)), (2, None));
        jit.define(callee, constant("second", 2.0)).unwrap();
        assert_eq!((call(jit, outer, &[]).unwrap(), jit.version(callee)), (2.0, 3));
    });
}

#[test]
fn versions_are_those_of_the_changes_and_never_decrease() {
    let jit = Jit::new().unwrap();
    let function = jit.declare(0).unwrap();
    let change = |version| Change::new(function, Definition::Ir(constant("f", 1.0))).version(version);
    jit.settle(jit.apply(vec![change(7)]).unwrap()).unwrap();
    assert_eq!(jit.version(function), 7);
    let again = std::panic::catch_unwind(|| jit.apply(vec![change(7)]).map(drop));
    assert!(again.is_err());
    assert_eq!((call(&jit, function, &[]).unwrap(), jit.version(function)), (1.0, 7));
}

/// Gives each function its own reason.
struct Reasons;

impl Embedder for Reasons {
    fn unavailable(&self, function: FunctionId) -> HostError {
        match function.index() {
            0 => "it was removed".into(),
            _ => "it takes another number of arguments now".into(),
        }
    }
}

#[test]
fn the_embedder_says_why_a_function_is_unavailable() {
    for &mode in Mode::ALL {
        let jit = Jit::builder().mode(mode).embedder(Arc::new(Reasons)).build().unwrap();
        let (removed, of_other_arity) = (jit.declare(0).unwrap(), jit.declare(0).unwrap());
        let message = |function| call(&jit, function, &[]).unwrap_err().to_string();
        assert_eq!(message(add(&jit, caller("f", removed))), "it was removed");
        assert_eq!(message(of_other_arity), "it takes another number of arguments now");
    }
    let jit = Jit::new().unwrap();
    let function = jit.declare(0).unwrap();
    assert_eq!(call(&jit, function, &[]).unwrap_err().to_string(), "function 0 is not defined");
}

struct Panicking;

impl Embedder for Panicking {
    fn unavailable(&self, _: FunctionId) -> HostError {
        panic!("the embedder is broken")
    }
}

#[test]
fn a_panic_of_the_embedder_is_a_trap() {
    for &mode in Mode::ALL {
        let jit = Jit::builder().mode(mode).embedder(Arc::new(Panicking)).build().unwrap();
        let missing = jit.declare(0).unwrap();
        let caller = add(&jit, caller("f", missing));
        for function in [missing, caller] {
            let trap = call(&jit, function, &[]).unwrap_err();
            assert_eq!(trap.to_string(), "the engine or its embedder panicked: the embedder is broken");
            assert!(matches!(trap, Trap::EnginePanic { .. }), "{mode:?}: {trap:?}");
        }
    }
}

#[test]
fn a_host_function_takes_the_place_of_a_definition() {
    in_each_mode(|jit| {
        let callee = add(jit, ir("function callee(x.0)\nget x.0"));
        let outer = add(jit, ir("function outer(x.0)\nget x.0\ncall #0/1"));
        assert_eq!(call(jit, outer, &[3.0]).unwrap(), 3.0);
        let host = |factor: f64| HostFunction::new("host", move |args| Ok(args[0] * factor));
        jit.define_host(callee, host(2.0)).unwrap();
        assert_eq!(call(jit, outer, &[3.0]).unwrap(), 6.0);
        jit.define_host(callee, host(5.0)).unwrap();
        assert_eq!(call(jit, outer, &[3.0]).unwrap(), 15.0);
        jit.define(callee, ir("function callee(x.0)\nnumber 1")).unwrap();
        assert_eq!(call(jit, outer, &[3.0]).unwrap(), 1.0);
    });
}

#[test]
fn several_changes_are_one_step() {
    in_each_mode(|jit| {
        let (one, two) = (add(jit, constant("one", 1.0)), add(jit, constant("two", 2.0)));
        let sum = add(jit, ir("function sum()\ncall #0/0\ncall #1/0\nadd"));
        assert_eq!(call(jit, sum, &[]).unwrap(), 3.0);
        let host = HostFunction::new("ten", |_| Ok(10.0));
        let changes = vec![
            Change::new(one, Definition::Host(host)),
            Change::new(two, Definition::Ir(constant("two", 20.0))),
        ];
        let superseded = jit.apply(changes).unwrap();
        assert_eq!(call(jit, sum, &[]).unwrap(), 30.0);
        jit.settle(superseded).unwrap();
        assert_eq!(call(jit, sum, &[]).unwrap(), 30.0);
    });
}

#[test]
fn a_maths_function_is_a_definition() {
    in_each_mode(|jit| {
        let ids = jit.declare_all([(1, Some(MathsFunction::Sqrt)), (1, None)]).unwrap();
        let ids: Vec<_> = ids.collect();
        let outer = add(jit, ir("function outer(x.0)\nget x.0\ncall #0/1"));
        assert_eq!(call(jit, outer, &[9.0]).unwrap(), 3.0);
        jit.define(ids[0], ir("function sqrt(x.0)\nnumber 7")).unwrap();
        assert_eq!(call(jit, outer, &[9.0]).unwrap(), 7.0);
    });
}

#[test]
fn a_fork_has_the_same_ids_and_its_own_definitions() {
    in_each_mode(|jit| {
        let variable = Variable::new(5.0);
        let id = jit.bind("v", &variable);
        let callee = add(jit, constant("callee", 1.0));
        let host = jit.declare(0).unwrap();
        jit.define_host(host, HostFunction::new("host", |_| Ok(100.0))).unwrap();
        let text = format!("function f()\ncall #0/0\ncall #1/0\nadd\nget_host #{}\nadd", id.index());
        let function = add(jit, ir(&text));
        let fork = jit.settings().build_with_definitions_of(jit).unwrap();
        assert!(!fork.is_same(jit));
        assert_eq!((fork.n_functions(), fork.version(callee)), (3, 1));
        fork.define(callee, constant("callee", 2.0)).unwrap();
        variable.set(6.0);
        assert_eq!(call(jit, function, &[]).unwrap(), 107.0);
        assert_eq!(call(&fork, function, &[]).unwrap(), 108.0);
    });
}

#[test]
fn an_address_is_the_same_for_the_life_of_a_function() {
    let jit = Jit::new().unwrap();
    let function = jit.declare(1).unwrap();
    let callable = jit.callable(function);
    jit.define(function, ir("function f(x.0)\nget x.0")).unwrap();
    assert_eq!(jit.call(callable, &[4.0], CallLimits::new()).unwrap(), 4.0);
    jit.withdraw(function).unwrap();
    jit.define(function, ir("function f(x.0)\nnumber 8")).unwrap();
    assert_eq!(jit.call(callable, &[4.0], CallLimits::new()).unwrap(), 8.0);
    assert_eq!((callable.arity(), callable.address()), (1, jit.callable(function).address()));
}

#[test]
fn a_running_loop_calls_the_new_definition() {
    // `count` calls `step` until the host function says stop; the host function redefines `step`.
    in_each_mode(|jit| {
        let step = add(jit, constant("step", 1.0));
        let goes_on = jit.declare(1).unwrap();
        let weak = jit.downgrade();
        let host = HostFunction::new("goes_on", move |args| {
            if args[0] == 1_000.0 {
                weak.upgrade().expect("a call is running").define(step, constant("step", 10.0))?;
            }
            Ok(f64::from(args[0] < 2_000.0))
        });
        jit.define_host(goes_on, host).unwrap();
        let text = "function count(), locals i.0 sum.1\nnumber 1\nset i.0\nset sum.1\nget sum.1\nsubtract\nset sum.1\ndrop\n\
                    loop\nget sum.1\ncall #0/0\nadd\nset sum.1\ndrop\nnumber 1\nget i.0\ncall #1/1\nnext i.0\nget sum.1";
        let count = add(jit, ir(text));
        assert_eq!(call(jit, count, &[]).unwrap(), 1_000.0 + 10.0 * 1_000.0);
    });
}
