//! Generators: symbols from the process, from libraries, from archives and from closures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use llvm_orc::{Address, Dylib, Error, ErrorKind, Object, PendingLookup, SuspendedLookup};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant, dylib};
use crate::time_limit::within_limit;

fn call_unary(dylib: &Dylib, name: &str, argument: f64) -> f64 {
    // SAFETY: the callers name functions of this type, which are not removed during the call.
    unsafe { dylib.lookup_fn::<Unary>(name) }.unwrap().call((argument,))
}

#[test]
fn process_symbols_are_filtered() {
    let dylib = dylib();
    let names = Arc::new(Mutex::new(Vec::new()));
    let filtered = Arc::clone(&names);
    dylib
        .add_process_symbols(move |name| {
            filtered.lock().unwrap().push(name.to_owned());
            name == "exp2"
        })
        .unwrap();
    let f = compiler().compile(|cx| calling(cx, "f", "exp2")).unwrap();
    let _f = dylib.add_object(&f).unwrap();
    assert_eq!(call_unary(&dylib, "f", 3.0), 8.0);
    assert_eq!(dylib.lookup("getpid").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(*names.lock().unwrap(), ["exp2", "getpid"]);
}

#[test]
fn symbols_of_a_dynamic_library_are_filtered() {
    let dylib = dylib();
    // SAFETY: no library is loaded.
    let error = unsafe { dylib.add_dynamic_library("/no/such/library.so", |_| true) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Library);
    // SAFETY: the library is the C library's.
    unsafe { dylib.add_dynamic_library("libm.so.6", |name| name == "exp2") }.unwrap();
    assert_eq!(call_unary(&dylib, "exp2", 3.0), 8.0);
    assert_eq!(dylib.lookup("exp").unwrap_err().kind(), ErrorKind::NotFound);
}

/// Creates a static archive of objects by `ar`.
fn archive(directory: &std::path::Path, objects: &[(&str, &Object)]) -> std::path::PathBuf {
    let path = directory.join("lib.a");
    let mut ar = std::process::Command::new("ar");
    ar.arg("rcs").arg(&path);
    for (name, object) in objects {
        let file = directory.join(format!("{name}.o"));
        std::fs::write(&file, object.bytes()).unwrap();
        ar.arg(file);
    }
    assert!(test_process::output(&mut ar, b"").status.success());
    path
}

#[test]
fn needed_objects_of_an_archive_are_linked() {
    let mut compiler = compiler();
    let outer = compiler.compile(|cx| calling(cx, "outer", "inner")).unwrap();
    let inner = compiler.compile(|cx| crate::test_kit::square_plus(cx, "inner", 1.0)).unwrap();
    let broken = compiler.compile(|cx| calling(cx, "broken", "nowhere")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = archive(directory.path(), &[("outer", &outer), ("inner", &inner), ("broken", &broken)]);
    let dylib = dylib();
    // SAFETY: the objects are from the compiler.
    unsafe { dylib.add_static_archive(&path) }.unwrap();
    assert_eq!(call_unary(&dylib, "outer", 3.0), 10.0);
    assert_eq!(dylib.lookup("missing").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(dylib.lookup("broken").unwrap_err().kind(), ErrorKind::Link);
    std::fs::write(&path, "not an archive").unwrap();
    // SAFETY: no object is linked.
    let error = unsafe { dylib.add_static_archive(&path) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Library);
}

extern "C" fn five() -> f64 {
    5.0
}

fn define_five(dylib: &Dylib, name: &str) -> Result<(), Error> {
    // SAFETY: the function has the type that it is looked up with, and always exists.
    unsafe { dylib.define_absolute([(name, Address::from(five as *const ()))]) }
}

#[test]
fn a_generator_defines_missing_names() {
    within_limit(|| {
        let (dylib, n_calls) = (dylib(), Arc::new(AtomicU32::new(0)));
        let counter = Arc::clone(&n_calls);
        dylib.add_generator(move |lookup: &mut PendingLookup<'_>| {
            counter.fetch_add(1, Ordering::Relaxed);
            // A generator may compile, define and add, but not look up.
            let error = lookup.dylib().lookup("anything").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Session);
            for name in lookup.names().iter().filter(|name| name.starts_with("five")) {
                define_five(lookup.dylib(), name)?;
            }
            if lookup.names().iter().any(|name| name == "refused") {
                return Err(Error::custom(ErrorKind::Module, "refused name"));
            }
            Ok(())
        });
        for _ in 0..2 {
            // SAFETY: the function has that type and is never removed.
            assert_eq!(unsafe { dylib.lookup_fn::<Nullary>("five1") }.unwrap().call(()), 5.0);
        }
        assert_eq!(n_calls.load(Ordering::Relaxed), 1, "a defined name does not reach the generator");
        assert_eq!(dylib.lookup("six").unwrap_err().kind(), ErrorKind::NotFound);
        let error = dylib.lookup("refused").unwrap_err();
        assert!(error.to_string().contains("refused name"), "{error:?}");
    });
}

#[test]
fn the_second_generator_gets_the_remaining_names() {
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
fn another_thread_resumes_a_suspended_look_up() {
    within_limit(|| {
        let dylib = dylib();
        let (sender, receiver) = mpsc::channel::<SuspendedLookup>();
        dylib.add_generator(move |lookup: &mut PendingLookup<'_>| {
            sender.send(lookup.suspend()).expect("the worker is running");
            Ok(())
        });
        let worker = thread::spawn(move || {
            for lookup in receiver.iter().take(5) {
                let name = lookup.names()[0].clone();
                match name.as_str() {
                    "dropped" => drop(lookup),
                    "failed" => lookup.resume(Err(Error::custom(ErrorKind::Module, "failed name"))),
                    _ => {
                        let object = compiler().compile(|cx| constant(cx, &name, 5.0)).unwrap();
                        lookup.dylib().add_object(&object).unwrap().keep();
                        lookup.resume(Ok(()));
                    }
                }
            }
        });
        for name in ["defined1", "defined2"] {
            // SAFETY: the function has that type and is never removed.
            assert_eq!(unsafe { dylib.lookup_fn::<Nullary>(name) }.unwrap().call(()), 5.0);
        }
        assert_eq!(dylib.lookup("dropped").unwrap_err().kind(), ErrorKind::NotFound);
        assert!(dylib.lookup("failed").unwrap_err().to_string().contains("failed name"));
        let other_thread = thread::spawn(move || dylib.lookup("defined3").is_ok());
        assert!(other_thread.join().unwrap());
        worker.join().unwrap();
    });
}

#[test]
fn a_generator_may_resume_its_own_look_up() {
    within_limit(|| {
        let dylib = dylib();
        dylib.add_generator(|lookup: &mut PendingLookup<'_>| {
            let suspended = lookup.suspend();
            define_five(suspended.dylib(), &suspended.names()[0])?;
            suspended.resume(Ok(()));
            Ok(())
        });
        assert!(dylib.lookup("f").is_ok());
    });
}

#[test]
fn a_panic_in_a_generator_is_raised_by_the_look_up() {
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
fn a_session_drops_its_generators() {
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
