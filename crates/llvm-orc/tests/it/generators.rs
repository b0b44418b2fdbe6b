//! Symbols that a dylib finds elsewhere.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use llvm_orc::{Address, Dylib, Error, ErrorKind, Object, PendingLookup, SuspendedLookup};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant, dylib};

fn call_unary(dylib: &Dylib, name: &str, argument: f64) -> f64 {
    // SAFETY: every function that these tests call so has this type, and is not removed meanwhile.
    unsafe { dylib.lookup_fn::<Unary>(name) }.unwrap().call((argument,))
}

#[test]
fn process_symbols_are_seen_as_far_as_allowed() {
    let dylib = dylib();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let questions = Arc::clone(&asked);
    dylib
        .add_process_symbols(move |name| {
            questions.lock().unwrap().push(name.to_owned());
            name == "exp2"
        })
        .unwrap();
    let f = compiler().compile(|cx| calling(cx, "f", "exp2")).unwrap();
    let _f = dylib.add_object(&f).unwrap();
    assert_eq!(call_unary(&dylib, "f", 3.0), 8.0);
    assert_eq!(dylib.lookup("getpid").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(*asked.lock().unwrap(), ["exp2", "getpid"]);
}

#[test]
fn a_dynamic_library_is_loaded() {
    let dylib = dylib();
    // SAFETY: nothing is loaded.
    let error = unsafe { dylib.add_dynamic_library("/no/such/library.so", |_| true) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Library);
    // SAFETY: the C library's maths functions.
    unsafe { dylib.add_dynamic_library("libm.so.6", |name| name == "exp2") }.unwrap();
    assert_eq!(call_unary(&dylib, "exp2", 3.0), 8.0);
    assert_eq!(dylib.lookup("exp").unwrap_err().kind(), ErrorKind::NotFound);
}

/// An archive of objects in a directory of its own, made by `ar`.
fn archive(directory: &std::path::Path, objects: &[(&str, &Object)]) -> std::path::PathBuf {
    let path = directory.join("lib.a");
    let mut ar = std::process::Command::new("ar");
    ar.arg("rcs").arg(&path);
    for (name, object) in objects {
        let file = directory.join(format!("{name}.o"));
        std::fs::write(&file, object.bytes()).unwrap();
        ar.arg(file);
    }
    assert!(ar.status().unwrap().success());
    path
}

#[test]
fn of_an_archive_what_is_needed_is_linked() {
    let mut compiler = compiler();
    let outer = compiler.compile(|cx| calling(cx, "outer", "inner")).unwrap();
    let inner = compiler.compile(|cx| crate::test_kit::square_plus(cx, "inner", 1.0)).unwrap();
    let broken = compiler.compile(|cx| calling(cx, "broken", "nowhere")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = archive(directory.path(), &[("outer", &outer), ("inner", &inner), ("broken", &broken)]);
    let dylib = dylib();
    // SAFETY: the objects are the compiler's.
    unsafe { dylib.add_static_archive(&path) }.unwrap();
    assert_eq!(call_unary(&dylib, "outer", 3.0), 10.0);
    assert_eq!(dylib.lookup("missing").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(dylib.lookup("broken").unwrap_err().kind(), ErrorKind::Link);
    std::fs::write(&path, "no archive").unwrap();
    // SAFETY: nothing of it is linked.
    let error = unsafe { dylib.add_static_archive(&path) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Library);
}

extern "C" fn five() -> f64 {
    5.0
}

fn define_five(dylib: &Dylib, name: &str) -> Result<(), Error> {
    // SAFETY: the function is of the type that it is looked up with, and stays.
    unsafe { dylib.define_absolute([(name, Address::from(five as *const ()))]) }
}

#[test]
fn a_generator_defines_what_is_missing() {
    let (dylib, n_asked) = (dylib(), Arc::new(AtomicU32::new(0)));
    let counter = Arc::clone(&n_asked);
    dylib.add_generator(move |lookup: &mut PendingLookup<'_>| {
        counter.fetch_add(1, Ordering::Relaxed);
        // It may compile, define and add, but not look up here.
        let error = lookup.dylib().lookup("anything").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Session);
        for name in lookup.names().iter().filter(|name| name.starts_with("five")) {
            define_five(lookup.dylib(), name)?;
        }
        if lookup.names().iter().any(|name| name == "refused") {
            return Err(Error::custom(ErrorKind::Module, "this one not"));
        }
        Ok(())
    });
    for _ in 0..2 {
        // SAFETY: it is of that type, and stays.
        assert_eq!(unsafe { dylib.lookup_fn::<Nullary>("five1") }.unwrap().call(()), 5.0);
    }
    assert_eq!(n_asked.load(Ordering::Relaxed), 1, "what is defined is not asked for again");
    assert_eq!(dylib.lookup("six").unwrap_err().kind(), ErrorKind::NotFound);
    let error = dylib.lookup("refused").unwrap_err();
    assert!(error.to_string().contains("this one not"), "{error:?}");
}

#[test]
fn the_second_generator_gets_what_the_first_leaves() {
    let dylib = dylib();
    for prefix in ["a", "b"] {
        dylib.add_generator(move |lookup: &mut PendingLookup<'_>| {
            let ours = lookup.names().iter().filter(|name| name.starts_with(prefix));
            ours.into_iter().try_for_each(|name| define_five(lookup.dylib(), name))
        });
    }
    assert!(dylib.lookup("a1").is_ok() && dylib.lookup("b1").is_ok());
    assert_eq!(dylib.lookup("c1").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_look_up_is_suspended_and_goes_on_elsewhere() {
    let dylib = dylib();
    let (sender, receiver) = mpsc::channel::<SuspendedLookup>();
    dylib.add_generator(move |lookup: &mut PendingLookup<'_>| {
        sender.send(lookup.suspend()).expect("the worker is there");
        Ok(())
    });
    let worker = thread::spawn(move || {
        for lookup in receiver.iter().take(5) {
            let name = lookup.names()[0].clone();
            match name.as_str() {
                "dropped" => drop(lookup),
                "failed" => lookup.resume(Err(Error::custom(ErrorKind::Module, "not this"))),
                _ => {
                    let object = compiler().compile(|cx| constant(cx, &name, 5.0)).unwrap();
                    lookup.dylib().add_object(&object).unwrap().keep();
                    lookup.resume(Ok(()));
                }
            }
        }
    });
    for name in ["made", "made2"] {
        // SAFETY: it is of that type, and stays.
        assert_eq!(unsafe { dylib.lookup_fn::<Nullary>(name) }.unwrap().call(()), 5.0);
    }
    assert_eq!(dylib.lookup("dropped").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(dylib.lookup("failed").unwrap_err().to_string().contains("not this"));
    let waiting: Vec<_> = (0..1)
        .map(|_| {
            let dylib = dylib.clone();
            thread::spawn(move || dylib.lookup("made3").is_ok())
        })
        .collect();
    assert!(waiting.into_iter().all(|thread| thread.join().unwrap()));
    worker.join().unwrap();
}

#[test]
fn a_look_up_may_go_on_at_once() {
    let dylib = dylib();
    dylib.add_generator(|lookup: &mut PendingLookup<'_>| {
        let suspended = lookup.suspend();
        define_five(suspended.dylib(), &suspended.names()[0])?;
        suspended.resume(Ok(()));
        Ok(())
    });
    assert!(dylib.lookup("f").is_ok());
}

#[test]
fn a_panic_in_a_generator_is_raised_where_it_was_caused() {
    let dylib = dylib();
    dylib.add_generator(|lookup: &mut PendingLookup<'_>| {
        let _suspended = lookup.names()[0].starts_with("suspended").then(|| lookup.suspend());
        panic!("no more names");
    });
    for name in ["plain", "suspended"] {
        let raised = catch_unwind(AssertUnwindSafe(|| dylib.lookup(name))).unwrap_err();
        assert_eq!(*raised.downcast::<&str>().unwrap(), "no more names");
    }
    dylib.add_process_symbols(|_| panic!("no filter")).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| dylib.lookup("getpid"))).is_err());
}

#[test]
fn a_generator_goes_with_its_session() {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let dylib = dylib();
    dylib.add_generator(move |_: &mut PendingLookup<'_>| {
        let _ = &held;
        Ok(())
    });
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(dylib);
    assert_eq!(Arc::strong_count(&alive), 1);
}
