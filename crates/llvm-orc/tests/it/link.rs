//! Linking: look-up, absolute symbols, removal.

use std::error::Error as _;
use std::sync::{Arc, Mutex};

use llvm_orc::{Address, ErrorKind, Jit};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant, dylib, square_plus};

#[test]
fn a_function_is_found_and_called() {
    let dylib = dylib();
    let object = compiler().compile(|cx| square_plus(cx, "f", 0.5)).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    // SAFETY: `f` has that type.
    let f = unsafe { tracker.lookup_fn::<Unary>("f") }.unwrap();
    assert_eq!(f.call((3.0,)), 9.5);
    // SAFETY: as above. The tracker lives until the end of the test.
    let same = unsafe { dylib.lookup_fn::<Unary>("f") }.unwrap();
    assert_eq!(same.call((2.0,)), 4.5);
    assert_eq!(tracker.lookup("f").unwrap(), dylib.lookup("f").unwrap());
}

#[test]
fn functions_of_two_objects_call_each_other() {
    let dylib = dylib();
    let mut compiler = compiler();
    let outer = compiler.compile(|cx| calling(cx, "outer", "inner")).unwrap();
    let inner = compiler.compile(|cx| square_plus(cx, "inner", 1.0)).unwrap();
    let outer = dylib.add_object(&outer).unwrap();
    let _inner = dylib.add_object(&inner).unwrap();
    // SAFETY: `outer` has that type.
    assert_eq!(unsafe { outer.lookup_fn::<Unary>("outer") }.unwrap().call((2.0,)), 5.0);
}

#[test]
fn a_distant_function_is_called_by_another_name() {
    unsafe extern "C" {
        safe fn sin(x: f64) -> f64;
    }
    let dylib = dylib();
    let far = Address::from(sin as *const ());
    // SAFETY: libm's `sin` has the type that `calling` gives its callee, and always exists.
    unsafe { dylib.define_absolute([("math.sin", far)]) }.unwrap();
    let object = compiler().compile(|cx| calling(cx, "f", "math.sin")).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    // SAFETY: `f` has that type.
    let f = unsafe { tracker.lookup_fn::<Unary>("f") }.unwrap();
    assert_eq!(f.call((1.25,)).to_bits(), 1.25_f64.sin().to_bits());
    let distance = dylib.lookup("f").unwrap().get().abs_diff(far.get());
    assert_eq!(dylib.lookup("math.sin").unwrap(), far);
    // The test is meaningful only if the two functions are far apart.
    assert!(distance > 1 << 16, "{distance:#x}");
}

#[test]
fn an_address_beyond_32_bit_distance_is_linked() {
    let dylib = dylib();
    let mut compiler = compiler();
    let object = compiler.compile(|cx| constant(cx, "near", 1.0)).unwrap();
    let _near = dylib.add_object(&object).unwrap();
    let near = dylib.lookup("near").unwrap().get();
    // No function exists at this address, and it is not called. Linking succeeds only if no 32-bit
    // distance is needed.
    let nowhere = Address::new(near ^ (1 << 44));
    // SAFETY: the function that uses it is never called.
    unsafe { dylib.define_absolute([("nowhere", nowhere)]) }.unwrap();
    let object = compiler.compile(|cx| calling(cx, "f", "nowhere")).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    tracker.lookup("f").unwrap();
}

#[test]
fn a_bare_dylib_sees_nothing_of_the_process() {
    let dylib = dylib();
    assert_eq!(dylib.lookup("getpid").unwrap_err().kind(), ErrorKind::NotFound);
    let object = compiler().compile(|cx| calling(cx, "f", "cbrt")).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    assert_eq!(tracker.lookup("f").unwrap_err().kind(), ErrorKind::Link);
}

#[test]
fn removal_frees_the_name() {
    let dylib = dylib();
    let mut compiler = compiler();
    for value in [1.0, 2.0, 3.0] {
        let object = compiler.compile(|cx| constant(cx, "f", value)).unwrap();
        let tracker = dylib.add_object(&object).unwrap();
        // SAFETY: `f` has that type.
        assert_eq!(unsafe { tracker.lookup_fn::<Nullary>("f") }.unwrap().call(()), value);
        if value == 2.0 {
            drop(tracker);
        } else {
            tracker.remove().unwrap();
        }
        assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn a_failed_link_has_a_cause_and_frees_its_name() {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let reports = Arc::clone(&reported);
    let jit = Jit::builder()
        .reporter(move |error| reports.lock().unwrap().push(error.to_string()))
        .build()
        .unwrap();
    let dylib = jit.create_bare_dylib("test").unwrap();
    let mut compiler = compiler();
    let object = compiler.compile(|cx| calling(cx, "f", "missing")).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    let error = tracker.lookup("f").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
    let cause = error.source().expect("the session reports the cause").to_string();
    assert!(cause.contains("missing"), "{cause}");
    assert_eq!(*reported.lock().unwrap(), [cause]);
    tracker.remove().unwrap();

    let object = compiler.compile(|cx| square_plus(cx, "f", 0.0)).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    // SAFETY: `f` has that type.
    assert_eq!(unsafe { tracker.lookup_fn::<Unary>("f") }.unwrap().call((4.0,)), 16.0);
}

#[test]
fn several_dylibs_link_the_same_object() {
    let jit = Jit::builder().build().unwrap();
    let object = compiler().compile(|cx| constant(cx, "f", 6.0)).unwrap();
    let trackers: Vec<_> = ["a", "b"]
        .into_iter()
        .map(|name| jit.create_bare_dylib(name).unwrap().add_object(&object).unwrap())
        .collect();
    let addresses: Vec<_> = trackers.iter().map(|tracker| tracker.lookup("f").unwrap()).collect();
    assert_ne!(addresses[0], addresses[1]);
}

#[test]
fn trackers_are_merged() {
    let jit = Jit::builder().build().unwrap();
    let dylib = jit.create_bare_dylib("one").unwrap();
    let mut compiler = compiler();
    let mut add =
        |name: &str| dylib.add_object(&compiler.compile(|cx| constant(cx, name, 1.0)).unwrap()).unwrap();
    let (linked, fresh, owner) = (add("linked"), add("fresh"), add("owner"));
    linked.lookup("linked").unwrap();
    linked.merge_into(&owner).unwrap();
    fresh.merge_into(&owner).unwrap();
    for name in ["linked", "fresh", "owner"] {
        // SAFETY: the function has that type.
        assert_eq!(unsafe { owner.lookup_fn::<Nullary>(name) }.unwrap().call(()), 1.0);
    }
    let elsewhere = jit.create_bare_dylib("two").unwrap();
    let object = compiler.compile(|cx| constant(cx, "f", 1.0)).unwrap();
    let foreign = elsewhere.add_object(&object).unwrap();
    assert_eq!(foreign.merge_into(&owner).unwrap_err().kind(), ErrorKind::Session);
    owner.remove().unwrap();
    for name in ["linked", "fresh", "owner"] {
        assert_eq!(dylib.lookup(name).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn code_outlives_a_tracker_that_is_kept() {
    let dylib = dylib();
    let mut compiler = compiler();
    for (name, linked) in [("linked", true), ("fresh", false)] {
        let tracker = dylib.add_object(&compiler.compile(|cx| constant(cx, name, 1.0)).unwrap()).unwrap();
        if linked {
            tracker.lookup(name).unwrap();
        }
        tracker.keep();
        // SAFETY: the function has that type and is not removed during the call.
        assert_eq!(unsafe { dylib.lookup_fn::<Nullary>(name) }.unwrap().call(()), 1.0);
    }
    // SAFETY: no function of the dylib is called any more.
    unsafe { dylib.clear() }.unwrap();
    assert_eq!(dylib.lookup("linked").unwrap_err().kind(), ErrorKind::NotFound);
}

/// A failed link names the undefined symbols, at every look-up.
#[test]
fn a_failed_link_names_the_undefined_symbol() {
    let dylib = dylib();
    let object = compiler().compile(|cx| calling(cx, "f", "missing")).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    for _ in 0..3 {
        let error = tracker.lookup("f").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Link);
        assert!(error.to_string().ends_with("undefined: [ missing ]"), "{error}");
        assert!(error.source().is_some_and(|cause| cause.to_string().contains("missing")));
    }
    tracker.remove().unwrap();
    assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
    // Another failure of the same name has its own cause.
    let object = compiler().compile(|cx| calling(cx, "f", "other")).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    for _ in 0..2 {
        let error = tracker.lookup("f").unwrap_err();
        assert!(error.to_string().ends_with("undefined: [ other ]"), "{error}");
    }
}

/// No one would run static constructors, so objects that have some are refused.
#[test]
#[cfg(feature = "shim")]
fn static_constructors_are_refused() {
    let text = |list: &str| {
        format!(
            "@g = global double 1.0\n\
             @llvm.{list} = appending global [1 x {{ i32, ptr, ptr }}] \
             [{{ i32, ptr, ptr }} {{ i32 65535, ptr @init, ptr null }}]\n\
             define internal void @init() {{\n store double 42.0, ptr @g\n ret void\n}}\n\
             define double @f() {{\n %v = load double, ptr @g\n ret double %v\n}}\n"
        )
    };
    for list in ["global_ctors", "global_dtors"] {
        let dylib = dylib();
        let object = compiler().compile(|cx| crate::test_kit::parse(cx, &text(list))).unwrap();
        let tracker = dylib.add_object(&object).unwrap();
        let error = tracker.lookup("f").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Link);
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains("static constructors or destructors"), "{cause}");
        tracker.remove().unwrap();
        let module = llvm_orc::IrModule::build(|cx| crate::test_kit::parse(cx, &text(list))).unwrap();
        let tracker = dylib.add_module(module).unwrap();
        assert_eq!(tracker.lookup("f").unwrap_err().kind(), ErrorKind::Link);
    }
}
