//! Misuse of the API: mistakes of the caller end in a trap or a panic, never in wrong memory.

use crate::program::{add, call, constant, in_each_mode, ir};
use kaleidoscope_jit::ir::{
    Arithmetic, Function, FunctionBuilder, FunctionId, HostArray, HostVariable, Local, MathsFunction, Op,
    OpIdx,
};
use kaleidoscope_jit::{CallLimits, Change, CompileError, Definition, Jit, MapOptions, Mode, Trap};
use std::panic::catch_unwind;
use std::sync::Arc;

/// The message of a panic.
fn panic_of<T>(action: impl FnOnce() -> T + std::panic::UnwindSafe) -> String {
    let Err(panic) = catch_unwind(action) else { panic!("there is no panic") };
    panic.downcast::<String>().map_or_else(
        |panic| (*panic.downcast::<&str>().expect("a panic has a message")).to_owned(),
        |text| *text,
    )
}

#[test]
fn the_number_of_arguments_is_checked() {
    in_each_mode(|jit| {
        let function = add(jit, ir("function f(x.0)\nget x.0"));
        let trap = call(jit, function, &[1.0, 2.0]).unwrap_err();
        assert_eq!(trap.to_string(), "function 0 takes 1 arguments, not 2");
        let callable = jit.callable(function);
        let called = jit.enter(CallLimits::new(), |scope| scope.call(callable, &[])).unwrap();
        assert!(matches!(called, Err(Trap::ArgumentCount { given: 0, takes: 1, .. })));
    });
}

#[test]
fn unknown_ids_are_panics_that_leave_the_engine_whole() {
    in_each_mode(|jit| {
        let unknown = FunctionId::new(7);
        let expected = "function 7 is not declared in this engine";
        assert_eq!(panic_of(|| jit.callable(unknown)), expected);
        assert_eq!(panic_of(|| jit.define(unknown, constant("f", 1.0))), expected);
        assert_eq!(panic_of(|| jit.withdraw(unknown)), expected);
        assert_eq!(panic_of(|| jit.version(unknown)), expected);
        assert_eq!(panic_of(|| jit.compile_eagerly(unknown, CallLimits::new())), expected);
        let expected = "host variable 7 is not bound in this engine";
        assert_eq!(panic_of(|| jit.variable(HostVariable::new(7))), expected);
        let function = add(jit, constant("f", 1.0));
        assert_eq!(call(jit, function, &[]).unwrap(), 1.0);
    });
}

#[test]
fn a_function_of_another_engine_is_a_panic() {
    in_each_mode(|jit| {
        let function = add(jit, ir("function f(x.0)\nget x.0"));
        let other = jit.settings().build().unwrap();
        let foreign = other.callable(add(&other, ir("function g(x.0)\nget x.0")));
        let expected = "a function is called in its own engine";
        assert_eq!(panic_of(|| jit.call(foreign, &[1.0], CallLimits::new())), expected);
        let in_scope = || jit.enter(CallLimits::new(), |scope| scope.call(foreign, &[1.0]));
        assert_eq!(panic_of(in_scope), expected);
        let map = || jit.map(foreign, MapOptions::new(), &[&[1.0]], &mut [0.0], CallLimits::new());
        assert_eq!(panic_of(map), expected);
        assert_eq!(call(jit, function, &[1.0]).unwrap(), 1.0);
    });
}

#[test]
fn a_function_keeps_its_arity() {
    in_each_mode(|jit| {
        let function = add(jit, ir("function f(x.0)\nget x.0"));
        let expected = "a function has one arity for its whole life";
        assert!(panic_of(|| jit.define(function, constant("f", 1.0))).contains(expected));
        let maths = || jit.apply(vec![Change::new(function, Definition::Maths(MathsFunction::Pow))]);
        assert!(panic_of(maths).contains(expected));
        let declared = panic_of(|| jit.declare_all([(1, Some(MathsFunction::Pow))]));
        assert_eq!(declared, "a maths function has its own arity");
        assert_eq!(call(jit, function, &[1.0]).unwrap(), 1.0);
    });
}

#[test]
fn changes_that_do_not_fit_change_nothing() {
    in_each_mode(|jit| {
        let function = add(jit, constant("f", 1.0));
        let fits = || Change::new(function, Definition::Ir(constant("f", 2.0)));
        let other_arity = || Change::new(function, Definition::Ir(ir("function f(x.0)\nget x.0")));
        let unknown = || Change::new(FunctionId::new(7), Definition::Unavailable);
        let old_version = || Change::new(function, Definition::Unavailable).version(1);
        panic_of(|| jit.apply(vec![fits(), other_arity()]));
        panic_of(|| jit.apply(vec![fits(), unknown()]));
        panic_of(|| jit.apply(vec![fits(), old_version()]));
        assert_eq!((call(jit, function, &[]).unwrap(), jit.version(function)), (1.0, 1));
    });
}

#[test]
fn an_expression_has_no_parameters() {
    in_each_mode(|jit| {
        let expression = ir("function $1(x.0)\nget x.0");
        panic_of(|| jit.run_once(&expression, CallLimits::new()));
    });
}

/// Functions that break a promise, each with what is wrong.
fn broken() -> Vec<(Function, &'static str)> {
    let function = |ops: &[Op], max_stack| Function::new("f", 0, ["a".into()], ops, max_stack);
    let target = OpIdx::new(0);
    vec![
        (function(&[], 0), "it ends with 0 values on the stack, not one"),
        (function(&[Op::Drop], 0), "operation 0: takes 1 values from the stack, which has 0"),
        (function(&[Op::Number(1.0)], 9), "the stack has up to 1 values, `max_stack` says 9"),
        (function(&[Op::Get(Local::new(9))], 1), "operation 0: names variable 9, there are 1"),
        (function(&[Op::Get(Local::new(0))], 1), "operation 0: reads variable 0, which is not set there"),
        (
            function(&[Op::Number(1.0), Op::If { otherwise: target }], 1),
            "the bracket that begins at operation 1 has no end",
        ),
        (
            function(&[Op::Number(1.0), Op::Arithmetic(Arithmetic::Add)], 1),
            "operation 1: takes 2 values from the stack, which has 1",
        ),
        (
            function(&[Op::Number(1.0), Op::Call { callee: FunctionId::new(0), n_args: 1 }], 1),
            "operation 1: calls function 0 with 1 arguments, it takes 0",
        ),
        (
            function(&[Op::Call { callee: FunctionId::new(9), n_args: 0 }], 1),
            "operation 0: calls function 9, which is not declared",
        ),
        (
            function(&[Op::GetHost(HostVariable::new(9))], 1),
            "operation 0: names host variable 9, which is not bound",
        ),
        (
            function(&[Op::Number(0.0), Op::GetElement(HostArray::new(9))], 1),
            "operation 1: names array 9, which is not bound",
        ),
    ]
}

#[test]
fn broken_ir_is_refused_when_it_is_defined() {
    in_each_mode(|jit| {
        let function = add(jit, constant("f", 1.0));
        for (ir, expected) in broken() {
            let trap = jit.define(function, Arc::new(ir)).unwrap_err();
            let expected = format!("`f` cannot be compiled: its IR breaks a promise: {expected}");
            assert_eq!(trap.to_string(), expected);
            assert_eq!((call(jit, function, &[]).unwrap(), jit.version(function)), (1.0, 1));
        }
    });
}

#[test]
fn broken_ir_that_is_applied_is_refused_when_it_is_compiled() {
    in_each_mode(|jit| {
        if jit.mode() == Mode::Off {
            return;
        }
        let function = jit.declare(0).unwrap();
        let outer = add(jit, ir("function outer()\ncall #0/0"));
        for (ir, expected) in broken() {
            let change = Change::new(function, Definition::Ir(Arc::new(ir)));
            jit.settle(jit.apply(vec![change]).unwrap()).unwrap();
            for function in [function, outer, outer] {
                let trap = call(jit, function, &[]).unwrap_err();
                assert!(trap.to_string().contains(expected), "{trap}");
            }
            let mut out = vec![0.0; 2_000];
            let mapped = jit.map(jit.callable(function), MapOptions::new(), &[], &mut out, CallLimits::new());
            assert!(matches!(mapped, Err(Trap::Compile { .. })), "{mapped:?}");
        }
        jit.define(function, constant("f", 3.0)).unwrap();
        assert_eq!(call(jit, outer, &[]).unwrap(), 3.0);
    });
}

#[test]
fn a_broken_callee_that_is_never_called_does_no_harm() {
    let jit = Jit::builder().mode(Mode::Tiered).build().unwrap();
    let function = jit.declare(0).unwrap();
    let outer = add(&jit, ir("function outer(x.0)\nget x.0\nif\ncall #0/0\nelse\nnumber 5\nend"));
    let broken = Function::new("f", 0, [], [Op::Drop], 0);
    let change = Change::new(function, Definition::Ir(Arc::new(broken)));
    jit.settle(jit.apply(vec![change]).unwrap()).unwrap();
    // With an optimizing tier, the rows are many enough for a kernel, which inlines callees.
    let (column, mut out) = (vec![0.0; 200_000], vec![0.0; 200_000]);
    for _ in 0..3 {
        jit.map(jit.callable(outer), MapOptions::new(), &[&column], &mut out, CallLimits::new()).unwrap();
        assert!(out.iter().all(|value| *value == 5.0));
    }
}

#[test]
fn listings_need_verified_ir_too() {
    let jit = Jit::new().unwrap();
    let function = Arc::new(Function::new("f", 0, [], [Op::Drop], 0));
    let listed = jit.list_expression(&function, kaleidoscope_jit::Listing::Llvm, |_| String::new());
    assert!(listed.unwrap_err().to_string().contains("its IR breaks a promise"));
}

#[test]
fn too_many_parameters_are_a_trap() {
    let jit = Jit::builder().mode(Mode::Baseline).build().unwrap();
    for (n_params, is_compiled) in [(65_535, true), (65_536, false)] {
        let mut builder = FunctionBuilder::new("f");
        let parameters: Vec<_> = (0..n_params).map(|_| builder.param("x")).collect();
        builder.get(parameters[n_params - 1]);
        let function = add(&jit, Arc::new(builder.finish().unwrap()));
        let result = call(&jit, function, &vec![3.0; n_params]);
        match is_compiled {
            true => assert_eq!(result.unwrap(), 3.0),
            false => assert!(matches!(result, Err(Trap::Compile { reason: CompileError::TooLarge, .. }))),
        }
    }
}
