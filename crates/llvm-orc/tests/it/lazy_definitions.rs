//! Lazy definitions and lazy reexports.

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

#[cfg(feature = "shim")]
use llvm_orc::LazyFailure;
use llvm_orc::{
    Address, Dylib, Error, ErrorKind, IrModule, Jit, Materialize, Passes, Responsibility, SymbolFlags, Target,
};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant, dylib, square_plus};
use crate::time_limit::within_limit;

const FUNCTION: SymbolFlags = SymbolFlags::FUNCTION;

/// A unit that defines `name() = value` and counts its materializations.
fn defining(name: &'static str, value: f64, n_materialized: &Arc<AtomicU32>) -> impl Materialize {
    let n_materialized = Arc::clone(n_materialized);
    move |responsibility: Responsibility| {
        n_materialized.fetch_add(1, Ordering::Relaxed);
        let object = compiler().compile(|cx| constant(cx, name, value))?;
        responsibility.emit_object(&object);
        Ok(())
    }
}

fn call(dylib: &Dylib, name: &str) -> Result<f64, Error> {
    // SAFETY: the callers name functions of this type, which are not removed during the call.
    Ok(unsafe { dylib.lookup_fn::<Nullary>(name) }?.call(()))
}

#[test]
fn only_needed_definitions_are_materialized() {
    let (dylib, n_materialized, n_other) = (dylib(), Arc::default(), Arc::default());
    dylib.define_lazily([("f", FUNCTION)], defining("f", 4.0, &n_materialized)).unwrap();
    dylib.define_lazily([("g", FUNCTION)], defining("g", 5.0, &n_other)).unwrap();
    assert_eq!(n_materialized.load(Ordering::Relaxed), 0);
    assert_eq!(call(&dylib, "f").unwrap(), 4.0);
    assert_eq!(call(&dylib, "f").unwrap(), 4.0);
    assert_eq!((n_materialized.load(Ordering::Relaxed), n_other.load(Ordering::Relaxed)), (1, 0));
}

#[test]
fn a_lazy_definition_of_a_defined_name_is_refused() {
    let (dylib, n_materialized) = (dylib(), Arc::default());
    dylib.define_lazily([("f", FUNCTION)], defining("f", 4.0, &n_materialized)).unwrap();
    let error = dylib.define_lazily([("g", FUNCTION), ("f", FUNCTION)], defining("f", 5.0, &n_materialized));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Duplicate);
    assert_eq!(dylib.lookup("g").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        dylib.define_lazily([], defining("f", 5.0, &n_materialized)).unwrap_err().kind(),
        ErrorKind::Name
    );
    assert_eq!(call(&dylib, "f").unwrap(), 4.0);
}

#[test]
fn racing_threads_materialize_once() {
    within_limit(|| {
        let (dylib, n_materialized) = (dylib(), Arc::default());
        dylib.define_lazily([("f", FUNCTION)], defining("f", 4.0, &n_materialized)).unwrap();
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    assert_eq!(call(&dylib, "f").unwrap(), 4.0);
                });
            }
        });
        assert_eq!(n_materialized.load(Ordering::Relaxed), 1);
    });
}

/// The source of the error when `f` is looked up, for a unit that fails.
fn failing(end: impl Materialize) -> String {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let reports = Arc::clone(&reported);
    let jit = Jit::builder()
        .reporter(move |error| reports.lock().unwrap().push(error.to_string()))
        .build()
        .unwrap();
    let dylib = jit.create_bare_dylib("test").unwrap();
    dylib.define_lazily([("f", FUNCTION)], end).unwrap();
    let error = dylib.lookup("f").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
    let cause = error.source().expect("the error has a source").to_string();
    assert!(reported.lock().unwrap().contains(&cause), "the reporter receives it, too");
    assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::Link, "it stays failed");
    cause
}

#[test]
fn a_failed_unit_fails_the_look_up() {
    within_limit(|| {
        let failed = failing(|responsibility: Responsibility| {
            responsibility.fail(Error::custom(ErrorKind::Module, "failed"));
            Ok(())
        });
        assert_eq!(failed, "failed");
        let refused = failing(|_: Responsibility| Err(Error::custom(ErrorKind::Module, "refused")));
        assert_eq!(refused, "refused");
        let dropped = failing(|responsibility: Responsibility| {
            drop(responsibility);
            Ok(())
        });
        assert!(dropped.contains("responsibility for f was dropped"), "{dropped}");
        let wrong = failing(|responsibility: Responsibility| {
            let object = compiler().compile(|cx| constant(cx, "g", 1.0))?;
            responsibility.emit_object(&object);
            Ok(())
        });
        assert!(wrong.contains('g'), "{wrong}");
    });
}

#[test]
fn a_panic_while_materializing_is_raised_again() {
    let dylib = dylib();
    dylib.define_lazily([("f", FUNCTION)], |_: Responsibility| panic!("while materializing")).unwrap();
    let raised = catch_unwind(AssertUnwindSafe(|| dylib.lookup("f"))).unwrap_err();
    assert_eq!(*raised.downcast::<&str>().unwrap(), "while materializing");
    assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::Link);
}

#[test]
fn another_thread_ends_a_responsibility() {
    within_limit(|| {
        let dylib = dylib();
        let (sender, receiver) = mpsc::channel::<Responsibility>();
        let worker = thread::spawn(move || {
            for responsibility in receiver {
                let (name, flags) = responsibility.symbols().pop().unwrap();
                assert_eq!(flags, FUNCTION);
                assert_eq!(responsibility.requested(), [name.as_str()]);
                if name == "dropped" {
                    continue;
                }
                let object = compiler().compile(|cx| constant(cx, &name, 6.0)).unwrap();
                responsibility.emit_object(&object);
            }
        });
        for name in ["emitted", "dropped"] {
            let sender = sender.clone();
            let hand_over = move |responsibility| {
                sender.send(responsibility).expect("the worker is running");
                Ok(())
            };
            dylib.define_lazily([(name, FUNCTION)], hand_over).unwrap();
        }
        drop(sender);
        assert_eq!(call(&dylib, "emitted").unwrap(), 6.0);
        assert_eq!(dylib.lookup("dropped").unwrap_err().kind(), ErrorKind::Link);
        worker.join().unwrap();
    });
}

#[test]
fn a_look_up_by_its_own_materialization_is_refused() {
    within_limit(|| {
        let dylib = dylib();
        let look_up = |responsibility: Responsibility| {
            let error = responsibility.dylib().lookup("f").unwrap_err();
            responsibility.fail(error);
            Ok(())
        };
        dylib.define_lazily([("f", FUNCTION)], look_up).unwrap();
        let error = dylib.lookup("f").unwrap_err();
        assert!(error.source().unwrap().to_string().contains("wait for itself"), "{error:?}");
    });
}

#[test]
fn a_responsibility_is_ended_by_addresses() {
    extern "C" fn seven() -> f64 {
        7.0
    }
    let dylib = dylib();
    let address = Address::from(seven as *const ());
    for (name, given, works) in
        [("a", vec!["a"], true), ("b", vec!["c"], false), ("d", vec![], false), ("e", vec!["e", "e"], false)]
    {
        let end = move |responsibility: Responsibility| {
            // SAFETY: the function has the type that it is looked up with, and always exists.
            unsafe { responsibility.emit_absolute(given.iter().map(|&name| (name, address))) }
        };
        dylib.define_lazily([(name, FUNCTION)], end).unwrap();
        match call(&dylib, name) {
            Ok(value) => assert!(works && value == 7.0),
            Err(error) => assert!(!works && error.kind() == ErrorKind::Link, "{error:?}"),
        }
    }
}

#[test]
fn a_responsibility_is_split_extended_and_replaced() {
    let dylib = dylib();
    let n_materialized = Arc::default();
    let replacement = defining("g", 2.0, &n_materialized);
    let split = |mut responsibility: Responsibility| {
        assert_eq!(responsibility.delegate(&["h"]).unwrap_err().kind(), ErrorKind::NotFound);
        let of_g = responsibility.delegate(&["g"])?;
        of_g.replace(replacement)?;
        responsibility.define_also([("extra", FUNCTION)])?;
        assert_eq!(responsibility.define_also([("g", FUNCTION)]).unwrap_err().kind(), ErrorKind::Duplicate);
        let extra = responsibility.delegate(&["extra"])?;
        extra.emit_object(&compiler().compile(|cx| constant(cx, "extra", 3.0))?);
        responsibility.emit_object(&compiler().compile(|cx| constant(cx, "f", 1.0))?);
        Ok(())
    };
    dylib.define_lazily([("f", FUNCTION), ("g", FUNCTION)], split).unwrap();
    assert_eq!(call(&dylib, "f").unwrap(), 1.0);
    assert_eq!(n_materialized.load(Ordering::Relaxed), 0, "the new unit waits for a look-up");
    assert_eq!(call(&dylib, "g").unwrap(), 2.0);
    assert_eq!(call(&dylib, "extra").unwrap(), 3.0);
}

/// A unit that records its callbacks.
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Materialize for Recorder {
    fn materialize(self: Box<Self>, responsibility: Responsibility) -> Result<(), Error> {
        self.0.lock().unwrap().push(format!("{:?}", responsibility.symbols()));
        responsibility.emit_object(&compiler().compile(|cx| constant(cx, "f", 1.0))?);
        Ok(())
    }

    fn discard(&mut self, name: &str) {
        self.0.lock().unwrap().push(format!("without {name}"));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.0.lock().unwrap().push("dropped".to_owned());
    }
}

#[test]
fn a_weak_definition_is_overridden() {
    let (dylib, events) = (dylib(), Arc::default());
    dylib
        .define_lazily([("f", FUNCTION.weak()), ("g", FUNCTION.weak())], Recorder(Arc::clone(&events)))
        .unwrap();
    let _g = dylib.add_object(&compiler().compile(|cx| constant(cx, "g", 9.0)).unwrap()).unwrap();
    assert_eq!(call(&dylib, "g").unwrap(), 9.0);
    assert!(events.lock().unwrap().is_empty());
    assert_eq!(call(&dylib, "f").unwrap(), 1.0);
    assert_eq!(*events.lock().unwrap(), ["without g", "[(\"f\", FUNCTION.weak())]", "dropped"]);
}

/// A unit whose destructor uses the session. It would deadlock under LLVM's locks.
struct UsesSession(Option<llvm_orc::Tracker>, Option<Dylib>);

impl Materialize for UsesSession {
    fn materialize(self: Box<Self>, responsibility: Responsibility) -> Result<(), Error> {
        drop(responsibility);
        Ok(())
    }
}

impl Drop for UsesSession {
    fn drop(&mut self) {
        self.0.take().unwrap().remove().unwrap();
        assert_eq!(self.1.take().unwrap().lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn a_units_destructor_may_use_the_session() {
    within_limit(|| {
        let jit = Jit::builder().build().unwrap();
        let (code, lazy) = (jit.create_bare_dylib("code").unwrap(), jit.create_bare_dylib("lazy").unwrap());
        let tracker = code.add_object(&compiler().compile(|cx| constant(cx, "f", 9.0)).unwrap()).unwrap();
        tracker.lookup("f").unwrap();
        lazy.define_lazily([("g", FUNCTION.weak())], UsesSession(Some(tracker), Some(code.clone()))).unwrap();
        // The new definition overrides the unit's, which destroys the unit.
        let _g = lazy.add_object(&compiler().compile(|cx| constant(cx, "g", 9.0)).unwrap()).unwrap();
        assert_eq!(code.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
#[cfg(feature = "shim")]
fn a_tracker_removes_lazy_definitions() {
    let (dylib, n_materialized, events) = (dylib(), Arc::default(), Arc::default());
    for round in 1..=3 {
        let f = dylib.define_lazily_tracked([("f", FUNCTION)], defining("f", 4.0, &n_materialized)).unwrap();
        // SAFETY: `f` has that type.
        assert_eq!(unsafe { f.lookup_fn::<Nullary>("f") }.unwrap().call(()), 4.0);
        assert_eq!(n_materialized.load(Ordering::Relaxed), round);
        let g = dylib.define_lazily_tracked([("g", FUNCTION)], Recorder(Arc::clone(&events))).unwrap();
        g.remove().unwrap();
        assert_eq!(*events.lock().unwrap(), vec!["dropped"; round as usize]);
        f.remove().unwrap();
        assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
    }
    // After a failure and removal, the name can be defined again.
    let failed = dylib.define_lazily_tracked([("f", FUNCTION)], |_: Responsibility| Ok(())).unwrap();
    assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::Link);
    failed.remove().unwrap();
    let _f = dylib.define_lazily_tracked([("f", FUNCTION)], defining("f", 4.0, &n_materialized)).unwrap();
    assert_eq!(call(&dylib, "f").unwrap(), 4.0);
}

#[test]
fn clear_removes_all_symbols() {
    let (dylib, n_materialized) = (dylib(), Arc::default());
    for _ in 0..3 {
        dylib.define_lazily([("f", FUNCTION)], defining("f", 4.0, &n_materialized)).unwrap();
        assert_eq!(call(&dylib, "f").unwrap(), 4.0);
        // SAFETY: no function of the dylib is called any more.
        unsafe { dylib.clear() }.unwrap();
        assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn a_session_drops_unneeded_lazy_definitions() {
    let events = Arc::default();
    let dylib = dylib();
    dylib.define_lazily([("f", FUNCTION)], Recorder(Arc::clone(&events))).unwrap();
    dylib.reexport_lazily(&dylib, [("g", "f")]).unwrap();
    dylib.lookup("g").unwrap();
    drop(dylib);
    assert_eq!(*events.lock().unwrap(), ["dropped"]);
}

/// The trampolines refer to names in the session's pool. If they outlived the pool, they would
/// write to freed memory.
#[test]
fn a_session_with_many_stubs_is_disposed_of() {
    crate::own_process::in_own_process("lazy_definitions::a_session_with_many_stubs_is_disposed_of", || {
        for _ in 0..3 {
            let dylib = dylib();
            for n in 0..1500 {
                let (stub, target) = (format!("stub{n}"), format!("target{n}"));
                dylib.reexport_lazily(&dylib, [(stub.as_str(), target.as_str())]).unwrap();
                dylib.lookup(&stub).unwrap();
            }
        }
    });
}

/// A unit that builds an IR module and counts its materializations.
fn defining_by_module(name: &'static str, n_materialized: &Arc<AtomicU32>) -> impl Materialize {
    let n_materialized = Arc::clone(n_materialized);
    move |responsibility: Responsibility| {
        n_materialized.fetch_add(1, Ordering::Relaxed);
        responsibility.emit_module(IrModule::build(|cx| square_plus(cx, name, 1.0))?);
        Ok(())
    }
}

#[test]
fn a_reexport_is_materialized_at_its_first_call() {
    let (dylib, n_materialized) = (dylib(), Arc::default());
    dylib.define_lazily([("f.impl", FUNCTION)], defining_by_module("f.impl", &n_materialized)).unwrap();
    dylib.reexport_lazily(&dylib, [("f", "f.impl")]).unwrap();
    let stub = dylib.lookup("f").unwrap();
    assert_eq!(n_materialized.load(Ordering::Relaxed), 0);
    // Code of another object calls the stub.
    let caller = compiler().compile(|cx| calling(cx, "caller", "f")).unwrap();
    let caller = dylib.add_object(&caller).unwrap();
    // SAFETY: the function has that type.
    let call = unsafe { caller.lookup_fn::<Unary>("caller") }.unwrap();
    assert_eq!(n_materialized.load(Ordering::Relaxed), 0);
    assert_eq!([2.0, 3.0].map(|x| call.call((x,))), [5.0, 10.0]);
    assert_eq!(n_materialized.load(Ordering::Relaxed), 1);
    assert_eq!(dylib.lookup("f").unwrap(), stub);
    let other = Jit::builder().build().unwrap().create_bare_dylib("other").unwrap();
    assert_eq!(dylib.reexport_lazily(&other, [("g", "g")]).unwrap_err().kind(), ErrorKind::Session);
}

#[test]
#[cfg(feature = "shim")]
fn a_failed_lazy_call_calls_the_failure_function() {
    extern "C" fn on_failure(_: f64) -> f64 {
        -1.0
    }
    let reported = Arc::new(Mutex::new(Vec::new()));
    let reports = Arc::clone(&reported);
    let failed = Arc::new(Mutex::new(Vec::new()));
    let failures = Arc::clone(&failed);
    let choose = move |failure: &LazyFailure<'_>| {
        let cause = std::error::Error::source(failure.error()).map(ToString::to_string);
        let names = [failure.dylib_name(), failure.name()].map(str::to_owned);
        failures.lock().unwrap().push((names, failure.error().kind(), cause));
        Address::from(on_failure as *const ())
    };
    // SAFETY: every function that is reexported below has the type of `on_failure`.
    let builder = unsafe { Jit::builder().on_lazy_failure(choose) };
    let jit = builder.reporter(move |error| reports.lock().unwrap().push(error.to_string())).build().unwrap();
    let dylib = jit.create_bare_dylib("test").unwrap();
    let broken = |_: Responsibility| panic!("cannot be materialized");
    dylib.define_lazily([("f.impl", FUNCTION)], broken).unwrap();
    dylib.reexport_lazily(&dylib, [("f", "f.impl")]).unwrap();
    // SAFETY: the function has that type.
    let f = unsafe { dylib.lookup_fn::<Unary>("f") }.unwrap();
    assert_eq!([f.call((1.0,)), f.call((1.0,))], [-1.0, -1.0]);
    let reported = reported.lock().unwrap().join("\n");
    let reason = "panic while materializing: cannot be materialized";
    assert!(reported.contains(reason), "{reported}");
    let names = ["test", "f.impl"].map(str::to_owned);
    let failure = (names, ErrorKind::Link, Some(reason.to_owned()));
    assert_eq!(*failed.lock().unwrap(), [failure.clone(), failure]);
}

#[test]
fn without_a_failure_function_a_failed_lazy_call_aborts() {
    crate::own_process::aborts_own_process(
        "lazy_definitions::without_a_failure_function_a_failed_lazy_call_aborts",
        || {
            let dylib = dylib();
            dylib.reexport_lazily(&dylib, [("f", "nowhere")]).unwrap();
            // SAFETY: the call aborts before the type matters.
            unsafe { dylib.lookup_fn::<Unary>("f") }.unwrap().call((1.0,));
        },
    );
}

#[test]
fn threads_compile_modules_of_one_session() {
    within_limit(|| {
        let dylib = dylib();
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for thread in 0..8 {
                let (start, dylib) = (&start, &dylib);
                scope.spawn(move || {
                    start.wait();
                    for n in 0..15 {
                        let name = format!("f{thread}_{n}");
                        let module = IrModule::build(|cx| square_plus(cx, &name, f64::from(n))).unwrap();
                        let tracker = dylib.add_module(module).unwrap();
                        // SAFETY: the function has that type.
                        let f = unsafe { tracker.lookup_fn::<Unary>(&name) }.unwrap();
                        assert_eq!(f.call((2.0,)), 4.0 + f64::from(n));
                        tracker.remove().unwrap();
                    }
                });
            }
        });
    });
}

#[test]
fn a_session_transforms_modules_and_objects() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (modules, objects) = (Arc::clone(&seen), Arc::clone(&seen));
    let jit = Jit::builder()
        .target(Target::host().unwrap())
        .passes(Passes::text("default<O1>"), llvm_orc::OptLevel::Less)
        .ir_transform(move |module| {
            let name = module.get_name().to_string_lossy().into_owned();
            modules.lock().unwrap().push(format!("module {name}"));
            if name == "bad" { Err(Error::custom(ErrorKind::Module, "bad module")) } else { Ok(()) }
        })
        .object_transform(move |object| {
            objects.lock().unwrap().push(format!("object of {} bytes", object.code_bytes().min(1)));
            Ok(object)
        })
        .object_transform(|object| {
            if object.bytes().is_empty() { Err(Error::custom(ErrorKind::Object, "")) } else { Ok(object) }
        })
        .build()
        .unwrap();
    let dylib = jit.create_bare_dylib("test").unwrap();
    let good = dylib.add_module(IrModule::build(|cx| constant(cx, "good", 1.0)).unwrap()).unwrap();
    assert_eq!(call(&dylib, "good").unwrap(), 1.0);
    let bad = dylib.add_module(IrModule::build(|cx| constant(cx, "bad", 1.0)).unwrap()).unwrap();
    let error = bad.lookup("bad").unwrap_err();
    assert!(error.source().unwrap().to_string().contains("bad module"), "{error:?}");
    let whole = dylib.add_object(&compiler().compile(|cx| constant(cx, "whole", 1.0)).unwrap()).unwrap();
    assert_eq!(call(&dylib, "whole").unwrap(), 1.0);
    assert_eq!(
        *seen.lock().unwrap(),
        ["module good", "object of 1 bytes", "module bad", "object of 1 bytes"]
    );
    drop((good, whole));
}

#[test]
fn a_panicking_transform_fails_only_its_module() {
    let jit = Jit::builder()
        .ir_transform(|module| {
            assert!(module.get_function("bad").is_none(), "refused");
            Ok(())
        })
        .build()
        .unwrap();
    let dylib = jit.create_bare_dylib("test").unwrap();
    let _bad = dylib.add_module(IrModule::build(|cx| constant(cx, "bad", 1.0)).unwrap()).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| dylib.lookup("bad"))).is_err());
    let _good = dylib.add_module(IrModule::build(|cx| constant(cx, "good", 1.0)).unwrap()).unwrap();
    assert_eq!(call(&dylib, "good").unwrap(), 1.0);
}

#[test]
fn a_module_is_verified_when_it_is_built() {
    let broken = IrModule::build(|cx| {
        let module = cx.create_module("broken");
        let function = module.add_function("f", cx.f64_type().fn_type(&[], false), None);
        cx.append_basic_block(function, "entry");
        module
    });
    assert_eq!(broken.unwrap_err().kind(), ErrorKind::Module);
    // An unused module may be dropped on another thread.
    let unused = IrModule::build(|cx| constant(cx, "f", 1.0)).unwrap();
    thread::spawn(move || drop(unused)).join().unwrap();
}
