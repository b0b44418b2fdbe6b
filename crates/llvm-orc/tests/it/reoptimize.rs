//! Reoptimize layer: counters, tier-up in the background, redefinition, invalidation.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use inkwell::context::Context;
use inkwell::module::Module;
use llvm_orc::{
    CallCounters, Compiler, Dylib, Error, ErrorKind, FunctionPass, Jit, OptLevel, Passes, Redirectable,
    ReoptimizeEvent, ReoptimizeLayer,
};

use crate::test_kit::{Unary, calling, compiler, constant, function, square_plus};
use crate::time_limit::within_limit;

/// A layer that optimizes after ten calls, and what its observer sees.
fn layer() -> (Dylib, ReoptimizeLayer, Receiver<String>) {
    let dylib = Jit::builder().build().unwrap().create_bare_dylib("test").unwrap();
    let (sender, events) = channel();
    let layer = ReoptimizeLayer::builder(&dylib)
        .threshold(10)
        .optimized(Passes::functions(&[FunctionPass::InstCombine]), OptLevel::Default)
        .observer(move |event| {
            let text = match event {
                ReoptimizeEvent::Compiling { names } => format!("compiling {}", names.join(" ")),
                ReoptimizeEvent::Optimized { names } => format!("optimized {}", names.join(" ")),
                ReoptimizeEvent::Discarded { names } => format!("discarded {}", names.join(" ")),
                ReoptimizeEvent::Failed { names, error } => format!("failed {}: {error}", names.join(" ")),
                other => format!("{other:?}"),
            };
            let _ = sender.send(text);
        })
        .build()
        .unwrap();
    (dylib, layer, events)
}

fn define(
    layer: &ReoptimizeLayer,
    fill: impl for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
) -> Result<Vec<String>, Error> {
    layer.define(&mut compiler(), |cx| Ok(fill(cx)))
}

fn unary(layer: &ReoptimizeLayer, name: &str) -> Redirectable<Unary> {
    // SAFETY: the tests define functions of this type by this name.
    unsafe { layer.lookup_fn(name) }.unwrap()
}

#[test]
fn a_hot_function_is_optimized_once() {
    within_limit(|| {
        let (_dylib, layer, events) = layer();
        assert_eq!(define(&layer, |cx| square_plus(cx, "f", 1.0)).unwrap(), ["f"]);
        let f = unary(&layer, "f");
        let baseline = f.target();
        for n in 1..=9 {
            assert_eq!((f.call((2.0,)), layer.calls("f").unwrap()), (5.0, n));
        }
        assert!(events.try_recv().is_err() && !layer.is_optimized("f").unwrap());
        assert_eq!(f.call((2.0,)), 5.0);
        assert_eq!(events.recv().unwrap(), "compiling f");
        assert_eq!(events.recv().unwrap(), "optimized f");
        assert!(layer.is_optimized("f").unwrap() && f.target() != baseline);
        for _ in 0..100 {
            assert_eq!(f.call((3.0,)), 10.0);
        }
        assert_eq!(layer.calls("f").unwrap(), 10, "optimized code does not count");
        drop(layer);
        assert_eq!(f.call((3.0,)), 10.0);
        assert!(events.recv().is_err(), "optimized once, and the thread has ended");
    });
}

/// The compile thread waits until the caller has gone on: if the caller waited for it, neither
/// would end.
#[test]
fn callers_do_not_wait_for_the_compiler() {
    within_limit(|| {
        let dylib = Jit::builder().build().unwrap().create_bare_dylib("test").unwrap();
        let (go_on, may_go_on) = channel();
        let may_go_on = Mutex::new(may_go_on);
        let (sender, optimized) = channel();
        let layer = ReoptimizeLayer::builder(&dylib)
            .threshold(10)
            .observer(move |event| match event {
                ReoptimizeEvent::Compiling { .. } => may_go_on.lock().unwrap().recv().unwrap(),
                _ => sender.send(()).unwrap(),
            })
            .build()
            .unwrap();
        define(&layer, |cx| square_plus(cx, "f", 1.0)).unwrap();
        let f = unary(&layer, "f");
        (0..1000).for_each(|_| assert_eq!(f.call((2.0,)), 5.0));
        assert_eq!(layer.calls("f").unwrap(), 1000);
        go_on.send(()).unwrap();
        optimized.recv().unwrap();
        assert_eq!((f.call((2.0,)), layer.calls("f").unwrap()), (5.0, 1000));
    });
}

#[test]
fn a_function_is_defined_again_under_its_callers() {
    within_limit(|| {
        let (dylib, layer, events) = layer();
        define(&layer, |cx| square_plus(cx, "f", 1.0)).unwrap();
        let caller = dylib.add_object(&compiler().compile(|cx| calling(cx, "g", "f")).unwrap()).unwrap();
        // SAFETY: the function has this type.
        let g = unsafe { caller.lookup_fn::<Unary>("g") }.unwrap();
        for round in 0..3 {
            let addend = f64::from(round) * 10.0;
            define(&layer, |cx| square_plus(cx, "f", addend)).unwrap();
            assert_eq!((g.call((2.0,)), layer.calls("f").unwrap()), (4.0 + addend, 1));
            while events.try_recv() != Ok("optimized f".to_owned()) {
                assert_eq!(g.call((2.0,)), 4.0 + addend);
            }
            assert_eq!(g.call((2.0,)), 4.0 + addend);
        }
    });
}

#[test]
fn invalidated_code_counts_from_zero_and_is_optimized_again() {
    within_limit(|| {
        let (_dylib, layer, events) = layer();
        define(&layer, |cx| square_plus(cx, "f", 1.0)).unwrap();
        let f = unary(&layer, "f");
        let baseline = f.target();
        assert!(!layer.invalidate("f").unwrap());
        for _ in 0..2 {
            (0..10).for_each(|_| assert_eq!(f.call((2.0,)), 5.0));
            assert_eq!([(); 2].map(|()| events.recv().unwrap()), ["compiling f", "optimized f"]);
            assert!(layer.invalidate("f").unwrap());
            assert_eq!((f.target(), layer.calls("f").unwrap()), (baseline, 0));
        }
    });
}

/// The definition changes, or is invalidated, while the compile thread works: what it compiled is
/// not used.
#[test]
fn code_that_is_not_valid_any_more_is_discarded() {
    within_limit(|| {
        let dylib = Jit::builder().build().unwrap().create_bare_dylib("test").unwrap();
        let (go_on, may_go_on) = channel::<()>();
        let (sender, events) = channel();
        let may_go_on = Mutex::new(may_go_on);
        let layer = ReoptimizeLayer::builder(&dylib)
            .threshold(2)
            .observer(move |event| match event {
                ReoptimizeEvent::Compiling { .. } => {
                    sender.send("compiling").unwrap();
                    let _ = may_go_on.lock().unwrap().recv();
                }
                ReoptimizeEvent::Discarded { .. } => sender.send("discarded").unwrap(),
                other => panic!("{other:?}"),
            })
            .build()
            .unwrap();
        define(&layer, |cx| square_plus(cx, "f", 1.0)).unwrap();
        let f = unary(&layer, "f");
        let baseline = f.target();
        assert_eq!([f.call((2.0,)), f.call((2.0,))], [5.0, 5.0]);
        assert_eq!(events.recv().unwrap(), "compiling");
        assert!(!layer.invalidate("f").unwrap());
        go_on.send(()).unwrap();
        assert_eq!(events.recv().unwrap(), "discarded");
        assert!(f.target() == baseline && !layer.is_optimized("f").unwrap());
        drop(f);
        for removes in [false, true] {
            define(&layer, |cx| square_plus(cx, "f", 1.0)).unwrap();
            let f = unary(&layer, "f");
            assert_eq!([f.call((2.0,)), f.call((2.0,))], [5.0, 5.0]);
            assert_eq!(events.recv().unwrap(), "compiling");
            if removes {
                layer.remove("f").unwrap();
            } else {
                define(&layer, |cx| square_plus(cx, "f", 2.0)).unwrap();
            }
            go_on.send(()).unwrap();
            assert_eq!(events.recv().unwrap(), "discarded");
            assert_eq!(f.call((2.0,)), if removes { 5.0 } else { 6.0 });
            drop(f);
            if !removes {
                layer.remove("f").unwrap();
            }
            assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
        }
    });
}

/// `f(x) = g(x)` and `g(x) = x * x + addend`
fn caller_and_callee(cx: &Context, addend: f64) -> Module<'_> {
    let module = calling(cx, "f", "g");
    module.link_in_module(square_plus(cx, "g", addend)).unwrap();
    module
}

#[test]
fn functions_of_a_module_are_one_unit() {
    within_limit(|| {
        let (dylib, layer, events) = layer();
        let mut names = define(&layer, |cx| caller_and_callee(cx, 1.0)).unwrap();
        names.sort();
        assert_eq!(names, ["f", "g"]);
        let (f, g) = (unary(&layer, "f"), unary(&layer, "g"));
        (0..10).for_each(|_| assert_eq!(f.call((2.0,)), 5.0));
        assert!(events.recv().unwrap().starts_with("compiling"));
        assert!(events.recv().unwrap().starts_with("optimized"));
        assert!(layer.is_optimized("f").unwrap() && layer.is_optimized("g").unwrap());
        assert_eq!((layer.calls("f").unwrap(), layer.calls("g").unwrap()), (10, 10));
        let part = define(&layer, |cx| square_plus(cx, "g", 2.0)).unwrap_err();
        assert_eq!(part.kind(), ErrorKind::Module, "{part}");
        define(&layer, |cx| caller_and_callee(cx, 2.0)).unwrap();
        assert_eq!((f.call((2.0,)), g.call((2.0,))), (6.0, 6.0));
        layer.remove("g").unwrap();
        assert_eq!(layer.calls("f").unwrap_err().kind(), ErrorKind::NotFound);
        drop((f, g));
        assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
        define(&layer, |cx| square_plus(cx, "g", 3.0)).unwrap();
        assert_eq!(unary(&layer, "g").call((2.0,)), 7.0);
    });
}

#[test]
fn modules_that_cannot_have_versions_are_refused() {
    let (dylib, layer, _events) = layer();
    let with_variable = define(&layer, |cx| {
        let module = square_plus(cx, "f", 1.0);
        module.add_global(cx.i32_type(), None, "v").set_initializer(&cx.i32_type().const_zero());
        module
    });
    let weak = define(&layer, |cx| {
        let module = square_plus(cx, "f", 1.0);
        module.get_function("f").unwrap().set_linkage(inkwell::module::Linkage::WeakAny);
        module
    });
    let empty = define(&layer, |cx| cx.create_module("empty"));
    let malformed = define(&layer, |cx| {
        let module = cx.create_module("m");
        function(cx, &module, "f", 0, |_, _| {});
        module
    });
    for refused in [with_variable, weak, empty, malformed] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Module, "{error}");
    }
    assert!(dylib.lookup("f").is_err() && layer.calls("f").is_err());
    define(&layer, |cx| constant(cx, "f", 1.0)).unwrap();
    let other_type = define(&layer, |cx| square_plus(cx, "f", 1.0)).unwrap_err();
    assert_eq!(other_type.kind(), ErrorKind::Module, "{other_type}");
    let _tracker = dylib.add_object(&compiler().compile(|cx| constant(cx, "taken", 1.0)).unwrap()).unwrap();
    let taken = define(&layer, |cx| constant(cx, "taken", 2.0)).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Duplicate, "{taken}");
    let mistake =
        layer.define(&mut compiler(), |_| Err::<Module<'_>, _>(Error::custom(ErrorKind::Codegen, "no")));
    assert_eq!(mistake.unwrap_err().to_string(), "no");
}

/// Threads call while the function is optimized, invalidated and defined again.
#[test]
fn threads_call_while_definitions_change() {
    within_limit(|| {
        let (_dylib, layer, _events) = layer();
        define(&layer, |cx| square_plus(cx, "f", 0.0)).unwrap();
        let f = unary(&layer, "f");
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut latest = 0.0;
                    while !stop.load(Ordering::Relaxed) {
                        let value = f.call((0.0,));
                        assert!(value >= latest, "{value} after {latest}");
                        latest = value;
                    }
                });
            }
            for n in 1..=60 {
                define(&layer, |cx| square_plus(cx, "f", f64::from(n))).unwrap();
                if n % 3 == 0 {
                    layer.invalidate("f").unwrap();
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(f.call((0.0,)), 60.0);
    });
}

#[test]
fn counters_count_the_calls_of_any_module() {
    let dylib = crate::test_kit::dylib();
    let mut counters = None;
    let mut compiler: Compiler = compiler();
    let object = compiler.compile(|cx| {
        let module = calling(cx, "f", "g");
        // A variable on the stack.
        let text = "define double @g(double %x) {\n %v = alloca double\n store double %x, ptr %v\n \
                    %r = load double, ptr %v\n ret double %r\n}\n";
        module.link_in_module(crate::test_kit::parse(cx, text)).unwrap();
        // SAFETY: the counters are dropped after the code.
        counters = Some(unsafe { CallCounters::add_to(cx, &module) }.unwrap());
        module
    });
    let counters = counters.unwrap();
    let tracker = dylib.add_object(&object.unwrap()).unwrap();
    // SAFETY: the functions have this type.
    let f = unsafe { tracker.lookup_fn::<Unary>("f") }.unwrap();
    // SAFETY: as above.
    let g = unsafe { tracker.lookup_fn::<Unary>("g") }.unwrap();
    assert_eq!([f.call((1.0,)), f.call((2.0,)), g.call((3.0,))], [1.0, 2.0, 3.0]);
    assert_eq!([counters.calls("f"), counters.calls("g"), counters.calls("h")], [Some(2), Some(3), None]);
    counters.reset();
    assert_eq!((g.call((3.0,)), counters.calls("g")), (3.0, Some(1)));
    assert_eq!(format!("{counters:?}"), r#"{"f": 0, "g": 1}"#);
    drop(tracker);
}
