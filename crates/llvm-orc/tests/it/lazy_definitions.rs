//! Definitions that are made when they are needed, and lazy reexports of them.

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use llvm_orc::{
    Address, Dylib, Error, ErrorKind, IrModule, Jit, Materialize, Passes, Responsibility, SymbolFlags, Target,
};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant, dylib, square_plus};

const FUNCTION: SymbolFlags = SymbolFlags::FUNCTION;

/// A unit that defines `name() = value`, and counts.
fn defining(name: &'static str, value: f64, n_made: &Arc<AtomicU32>) -> impl Materialize {
    let n_made = Arc::clone(n_made);
    move |responsibility: Responsibility| {
        n_made.fetch_add(1, Ordering::Relaxed);
        let object = compiler().compile(|cx| constant(cx, name, value))?;
        responsibility.emit_object(&object);
        Ok(())
    }
}

fn call(dylib: &Dylib, name: &str) -> Result<f64, Error> {
    // SAFETY: every function that these tests call so has this type, and is not removed meanwhile.
    Ok(unsafe { dylib.lookup_fn::<Nullary>(name) }?.call(()))
}

#[test]
fn what_is_never_needed_is_never_made() {
    let (dylib, n_made, n_other) = (dylib(), Arc::default(), Arc::default());
    dylib.define_lazily([("f", FUNCTION)], defining("f", 4.0, &n_made)).unwrap();
    dylib.define_lazily([("g", FUNCTION)], defining("g", 5.0, &n_other)).unwrap();
    assert_eq!(n_made.load(Ordering::Relaxed), 0);
    assert_eq!(call(&dylib, "f").unwrap(), 4.0);
    assert_eq!(call(&dylib, "f").unwrap(), 4.0);
    assert_eq!((n_made.load(Ordering::Relaxed), n_other.load(Ordering::Relaxed)), (1, 0));
}

#[test]
fn a_name_is_lazily_defined_once() {
    let (dylib, n_made) = (dylib(), Arc::default());
    dylib.define_lazily([("f", FUNCTION)], defining("f", 4.0, &n_made)).unwrap();
    let error = dylib.define_lazily([("g", FUNCTION), ("f", FUNCTION)], defining("f", 5.0, &n_made));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Duplicate);
    assert_eq!(dylib.lookup("g").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(dylib.define_lazily([], defining("f", 5.0, &n_made)).unwrap_err().kind(), ErrorKind::Name);
    assert_eq!(call(&dylib, "f").unwrap(), 4.0);
}

#[test]
fn racing_threads_materialize_once() {
    let (dylib, n_made) = (dylib(), Arc::default());
    dylib.define_lazily([("f", FUNCTION)], defining("f", 4.0, &n_made)).unwrap();
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                assert_eq!(call(&dylib, "f").unwrap(), 4.0);
            });
        }
    });
    assert_eq!(n_made.load(Ordering::Relaxed), 1);
}

/// The cause of the error that looking `f` up gives, for a unit that ends in this way.
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
    let cause = error.source().expect("there is a cause").to_string();
    assert!(reported.lock().unwrap().contains(&cause), "the reporter gets it, too");
    assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::Link, "and it stays failed");
    cause
}

#[test]
fn a_failure_is_an_answer() {
    let failed = failing(|responsibility: Responsibility| {
        responsibility.fail(Error::custom(ErrorKind::Module, "not today"));
        Ok(())
    });
    assert_eq!(failed, "not today");
    let refused = failing(|_: Responsibility| Err(Error::custom(ErrorKind::Module, "not ever")));
    assert_eq!(refused, "not ever");
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
}

#[test]
fn a_panic_while_materializing_is_raised_again() {
    let dylib = dylib();
    dylib.define_lazily([("f", FUNCTION)], |_: Responsibility| panic!("no, no")).unwrap();
    let raised = catch_unwind(AssertUnwindSafe(|| dylib.lookup("f"))).unwrap_err();
    assert_eq!(*raised.downcast::<&str>().unwrap(), "no, no");
    assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::Link);
}

#[test]
fn a_responsibility_can_be_ended_on_another_thread() {
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
    for name in ["made", "dropped"] {
        let sender = sender.clone();
        let hand_over = move |responsibility| {
            sender.send(responsibility).expect("the worker is there");
            Ok(())
        };
        dylib.define_lazily([(name, FUNCTION)], hand_over).unwrap();
    }
    drop(sender);
    assert_eq!(call(&dylib, "made").unwrap(), 6.0);
    assert_eq!(dylib.lookup("dropped").unwrap_err().kind(), ErrorKind::Link);
    worker.join().unwrap();
}

#[test]
fn a_materialization_cannot_wait_for_itself() {
    let dylib = dylib();
    let look_up = |responsibility: Responsibility| {
        let error = responsibility.dylib().lookup("f").unwrap_err();
        responsibility.fail(error);
        Ok(())
    };
    dylib.define_lazily([("f", FUNCTION)], look_up).unwrap();
    let error = dylib.lookup("f").unwrap_err();
    assert!(error.source().unwrap().to_string().contains("wait for itself"), "{error:?}");
}

#[test]
fn addresses_can_be_given_instead_of_code() {
    extern "C" fn seven() -> f64 {
        7.0
    }
    let dylib = dylib();
    let address = Address::from(seven as *const ());
    for (name, given, works) in
        [("a", vec!["a"], true), ("b", vec!["c"], false), ("d", vec![], false), ("e", vec!["e", "e"], false)]
    {
        let end = move |responsibility: Responsibility| {
            // SAFETY: the function is of the type that it is looked up with, and stays.
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
    let n_made = Arc::default();
    let later = defining("g", 2.0, &n_made);
    let split = |mut responsibility: Responsibility| {
        assert_eq!(responsibility.delegate(&["h"]).unwrap_err().kind(), ErrorKind::NotFound);
        let of_g = responsibility.delegate(&["g"])?;
        of_g.replace(later)?;
        responsibility.define_also([("extra", FUNCTION)])?;
        assert_eq!(responsibility.define_also([("g", FUNCTION)]).unwrap_err().kind(), ErrorKind::Duplicate);
        let extra = responsibility.delegate(&["extra"])?;
        extra.emit_object(&compiler().compile(|cx| constant(cx, "extra", 3.0))?);
        responsibility.emit_object(&compiler().compile(|cx| constant(cx, "f", 1.0))?);
        Ok(())
    };
    dylib.define_lazily([("f", FUNCTION), ("g", FUNCTION)], split).unwrap();
    assert_eq!(call(&dylib, "f").unwrap(), 1.0);
    assert_eq!(n_made.load(Ordering::Relaxed), 0, "what is replaced waits to be needed");
    assert_eq!(call(&dylib, "g").unwrap(), 2.0);
    assert_eq!(call(&dylib, "extra").unwrap(), 3.0);
}

/// Records what it is told.
struct Weak(Arc<Mutex<Vec<String>>>);

impl Materialize for Weak {
    fn materialize(self: Box<Self>, responsibility: Responsibility) -> Result<(), Error> {
        self.0.lock().unwrap().push(format!("{:?}", responsibility.symbols()));
        responsibility.emit_object(&compiler().compile(|cx| constant(cx, "f", 1.0))?);
        Ok(())
    }

    fn discard(&mut self, name: &str) {
        self.0.lock().unwrap().push(format!("without {name}"));
    }
}

impl Drop for Weak {
    fn drop(&mut self) {
        self.0.lock().unwrap().push("dropped".to_owned());
    }
}

#[test]
fn a_weak_definition_gives_way() {
    let (dylib, told) = (dylib(), Arc::default());
    dylib.define_lazily([("f", FUNCTION.weak()), ("g", FUNCTION.weak())], Weak(Arc::clone(&told))).unwrap();
    let _g = dylib.add_object(&compiler().compile(|cx| constant(cx, "g", 9.0)).unwrap()).unwrap();
    assert_eq!(call(&dylib, "g").unwrap(), 9.0);
    assert!(told.lock().unwrap().is_empty());
    assert_eq!(call(&dylib, "f").unwrap(), 1.0);
    assert_eq!(*told.lock().unwrap(), ["without g", "[(\"f\", FUNCTION.weak())]", "dropped"]);
}

/// Uses the session when it is dropped, which LLVM's locks would not bear.
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
    let jit = Jit::builder().build().unwrap();
    let (code, lazy) = (jit.create_bare_dylib("code").unwrap(), jit.create_bare_dylib("lazy").unwrap());
    let tracker = code.add_object(&compiler().compile(|cx| constant(cx, "f", 9.0)).unwrap()).unwrap();
    tracker.lookup("f").unwrap();
    lazy.define_lazily([("g", FUNCTION.weak())], UsesSession(Some(tracker), Some(code.clone()))).unwrap();
    // Overridden, the unit is destroyed.
    let _g = lazy.add_object(&compiler().compile(|cx| constant(cx, "g", 9.0)).unwrap()).unwrap();
    assert_eq!(code.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
#[cfg(feature = "shim")]
fn lazy_definitions_are_removed_alone() {
    let (dylib, n_made, told) = (dylib(), Arc::default(), Arc::default());
    for round in 1..=3 {
        let f = dylib.define_lazily_tracked([("f", FUNCTION)], defining("f", 4.0, &n_made)).unwrap();
        // SAFETY: `f` is of that type.
        assert_eq!(unsafe { f.lookup_fn::<Nullary>("f") }.unwrap().call(()), 4.0);
        assert_eq!(n_made.load(Ordering::Relaxed), round);
        let g = dylib.define_lazily_tracked([("g", FUNCTION)], Weak(Arc::clone(&told))).unwrap();
        g.remove().unwrap();
        assert_eq!(*told.lock().unwrap(), vec!["dropped"; round as usize]);
        f.remove().unwrap();
        assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
    }
    // What failed can be defined again.
    let failed = dylib.define_lazily_tracked([("f", FUNCTION)], |_: Responsibility| Ok(())).unwrap();
    assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::Link);
    failed.remove().unwrap();
    let _f = dylib.define_lazily_tracked([("f", FUNCTION)], defining("f", 4.0, &n_made)).unwrap();
    assert_eq!(call(&dylib, "f").unwrap(), 4.0);
}

#[test]
fn a_dylib_is_emptied() {
    let (dylib, n_made) = (dylib(), Arc::default());
    for _ in 0..3 {
        dylib.define_lazily([("f", FUNCTION)], defining("f", 4.0, &n_made)).unwrap();
        assert_eq!(call(&dylib, "f").unwrap(), 4.0);
        // SAFETY: nothing that was looked up is called any more.
        unsafe { dylib.clear() }.unwrap();
        assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn a_session_may_go_before_its_lazy_definitions_were_needed() {
    let told = Arc::default();
    let dylib = dylib();
    dylib.define_lazily([("f", FUNCTION)], Weak(Arc::clone(&told))).unwrap();
    dylib.reexport_lazily(&dylib, [("g", "f")]).unwrap();
    dylib.lookup("g").unwrap();
    drop(dylib);
    assert_eq!(*told.lock().unwrap(), ["dropped"]);
}

/// Trampolines hold names of the session's pool: given up after it, they write where it was.
#[test]
fn many_stubs_go_with_their_session() {
    crate::own_process::in_own_process("lazy_definitions::many_stubs_go_with_their_session", || {
        for _ in 0..3 {
            let dylib = dylib();
            for n in 0..1500 {
                let (stub, body) = (format!("stub{n}"), format!("body{n}"));
                dylib.reexport_lazily(&dylib, [(stub.as_str(), body.as_str())]).unwrap();
                dylib.lookup(&stub).unwrap();
            }
        }
    });
}

/// A module, lowered when it is needed.
fn module_of(name: &'static str, n_made: &Arc<AtomicU32>) -> impl Materialize {
    let n_made = Arc::clone(n_made);
    move |responsibility: Responsibility| {
        n_made.fetch_add(1, Ordering::Relaxed);
        responsibility.emit_module(IrModule::build(|cx| square_plus(cx, name, 1.0))?);
        Ok(())
    }
}

#[test]
fn a_reexport_is_made_at_its_first_call() {
    let (dylib, n_made) = (dylib(), Arc::default());
    dylib.define_lazily([("f.body", FUNCTION)], module_of("f.body", &n_made)).unwrap();
    dylib.reexport_lazily(&dylib, [("f", "f.body")]).unwrap();
    let stub = dylib.lookup("f").unwrap();
    assert_eq!(n_made.load(Ordering::Relaxed), 0);
    // Called from other code, too.
    let caller = compiler().compile(|cx| calling(cx, "caller", "f")).unwrap();
    let caller = dylib.add_object(&caller).unwrap();
    // SAFETY: it is of that type.
    let call = unsafe { caller.lookup_fn::<Unary>("caller") }.unwrap();
    assert_eq!(n_made.load(Ordering::Relaxed), 0);
    assert_eq!([2.0, 3.0].map(|x| call.call((x,))), [5.0, 10.0]);
    assert_eq!(n_made.load(Ordering::Relaxed), 1);
    assert_eq!(dylib.lookup("f").unwrap(), stub);
    let other = Jit::builder().build().unwrap().create_bare_dylib("other").unwrap();
    assert_eq!(dylib.reexport_lazily(&other, [("g", "g")]).unwrap_err().kind(), ErrorKind::Session);
}

#[test]
fn a_call_that_cannot_be_made_lands_where_it_was_told() {
    extern "C" fn landing(_: f64) -> f64 {
        -1.0
    }
    let reported = Arc::new(Mutex::new(Vec::new()));
    let reports = Arc::clone(&reported);
    // SAFETY: every function that is reexported below has the type of `landing`.
    let builder = unsafe { Jit::builder().on_lazy_failure(Address::from(landing as *const ())) };
    let jit = builder.reporter(move |error| reports.lock().unwrap().push(error.to_string())).build().unwrap();
    let dylib = jit.create_bare_dylib("test").unwrap();
    let broken = |_: Responsibility| panic!("cannot be made");
    dylib.define_lazily([("f.body", FUNCTION)], broken).unwrap();
    dylib.reexport_lazily(&dylib, [("f", "f.body")]).unwrap();
    // SAFETY: it is of that type.
    let f = unsafe { dylib.lookup_fn::<Unary>("f") }.unwrap();
    assert_eq!([f.call((1.0,)), f.call((1.0,))], [-1.0, -1.0]);
    let reported = reported.lock().unwrap().join("\n");
    assert!(reported.contains("panic while materializing: cannot be made"), "{reported}");
}

#[test]
fn without_a_landing_the_process_ends() {
    crate::own_process::aborts_own_process("lazy_definitions::without_a_landing_the_process_ends", || {
        let dylib = dylib();
        dylib.reexport_lazily(&dylib, [("f", "nowhere")]).unwrap();
        // SAFETY: it is not defined, so that its type does not matter.
        unsafe { dylib.lookup_fn::<Unary>("f") }.unwrap().call((1.0,));
    });
}

#[test]
fn modules_of_many_threads_are_compiled() {
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
                    // SAFETY: it is of that type.
                    let f = unsafe { tracker.lookup_fn::<Unary>(&name) }.unwrap();
                    assert_eq!(f.call((2.0,)), 4.0 + f64::from(n));
                    tracker.remove().unwrap();
                }
            });
        }
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
            if name == "bad" { Err(Error::custom(ErrorKind::Module, "a bad one")) } else { Ok(()) }
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
    assert!(error.source().unwrap().to_string().contains("a bad one"), "{error:?}");
    let whole = dylib.add_object(&compiler().compile(|cx| constant(cx, "whole", 1.0)).unwrap()).unwrap();
    assert_eq!(call(&dylib, "whole").unwrap(), 1.0);
    assert_eq!(
        *seen.lock().unwrap(),
        ["module good", "object of 1 bytes", "module bad", "object of 1 bytes"]
    );
    drop((good, whole));
}

#[test]
fn a_panicking_transform_fails_the_module_alone() {
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
fn a_module_is_checked_when_it_is_made() {
    let broken = IrModule::build(|cx| {
        let module = cx.create_module("broken");
        let function = module.add_function("f", cx.f64_type().fn_type(&[], false), None);
        cx.append_basic_block(function, "entry");
        module
    });
    assert_eq!(broken.unwrap_err().kind(), ErrorKind::Module);
    // A module may be dropped unused, on another thread.
    let unused = IrModule::build(|cx| constant(cx, "f", 1.0)).unwrap();
    thread::spawn(move || drop(unused)).join().unwrap();
}
