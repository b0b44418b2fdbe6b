//! Errors: the kind of each failure, and panics in the reporter.

use std::panic::{AssertUnwindSafe, catch_unwind};

use llvm_orc::{Address, Compiler, ErrorKind, Jit, Object, Passes, Target};

use crate::test_kit::{calling, compiler, constant, dylib};
use crate::time_limit::within_limit;

#[test]
fn a_name_is_defined_once() {
    let dylib = dylib();
    let object = compiler().compile(|cx| constant(cx, "f", 1.0)).unwrap();
    let _first = dylib.add_object(&object).unwrap();
    let error = dylib.add_object(&object).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Duplicate, "{error}");
    // SAFETY: no code uses the address.
    let error =
        unsafe { dylib.define_absolute([("g", Address::new(8)), ("f", Address::new(8))]) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Duplicate, "{error}");
    assert_eq!(dylib.lookup("g").unwrap_err().kind(), ErrorKind::NotFound, "no name is defined");
    assert!(dylib.lookup("f").is_ok());
}

#[test]
fn dylib_names_are_unique() {
    let jit = Jit::builder().build().unwrap();
    let first = jit.create_bare_dylib("a").unwrap();
    assert_eq!(jit.create_bare_dylib("a").unwrap_err().kind(), ErrorKind::Duplicate);
    assert_eq!(first.name(), "a");
}

#[test]
fn names_with_nul_are_refused() {
    let dylib = dylib();
    assert_eq!(dylib.lookup("a\0b").unwrap_err().kind(), ErrorKind::Name);
    // SAFETY: no code uses the address.
    let error = unsafe { dylib.define_absolute([("a\0b", Address::new(8))]) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Name);
}

#[test]
fn the_compiler_builder_checks_the_pipeline() {
    let error = Compiler::builder().passes(Passes::text("no-such-pass")).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Pipeline);
    assert!(error.to_string().contains("no-such-pass"), "{error}");
}

#[test]
fn invalid_bytes_are_not_an_object() {
    // SAFETY: no code is run.
    let error = unsafe { Object::from_bytes(*b"\x7fELF and so on, but not really") }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Object);
    assert!(error.to_string().starts_with("not an object file"), "{error}");
}

#[test]
fn display_is_short_and_debug_is_complete() {
    let dylib = dylib();
    let object = compiler().compile(|cx| calling(cx, "f", "missing")).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    let error = tracker.lookup("f").unwrap_err();
    assert!(!error.to_string().contains('\n'));
    let full = format!("{error:?}");
    assert!(full.contains("Link") && full.contains("missing"), "{full}");
}

#[test]
fn a_panic_in_the_reporter_is_raised_by_the_look_up() {
    let jit = Jit::builder().reporter(|error| panic!("reporter: {error}")).build().unwrap();
    let dylib = jit.create_bare_dylib("test").unwrap();
    let mut compiler = compiler();
    let object = compiler.compile(|cx| calling(cx, "f", "missing")).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    let raised = catch_unwind(AssertUnwindSafe(|| tracker.lookup("f"))).unwrap_err();
    assert!(raised.downcast_ref::<String>().unwrap().contains("missing"));
    tracker.remove().unwrap();
    let object = compiler.compile(|cx| constant(cx, "f", 1.0)).unwrap();
    assert!(dylib.add_object(&object).unwrap().lookup("f").is_ok());
}

#[test]
fn the_reporter_may_use_the_session() {
    within_limit(|| {
        use std::sync::{Arc, Mutex};
        let own: Arc<Mutex<Option<llvm_orc::Dylib>>> = Arc::default();
        let kinds = Arc::new(Mutex::new(Vec::new()));
        let (session, answers) = (Arc::clone(&own), Arc::clone(&kinds));
        let jit = Jit::builder()
            .reporter(move |_| {
                let dylib = session.lock().unwrap().clone();
                let inner = dylib.map(|dylib| dylib.lookup("nothing").unwrap_err().kind());
                answers.lock().unwrap().push(inner);
            })
            .build()
            .unwrap();
        let dylib = jit.create_bare_dylib("test").unwrap();
        *own.lock().unwrap() = Some(dylib.clone());
        let object = compiler().compile(|cx| calling(cx, "f", "missing")).unwrap();
        let tracker = dylib.add_object(&object).unwrap();
        assert_eq!(tracker.lookup("f").unwrap_err().kind(), ErrorKind::Link);
        assert_eq!(*kinds.lock().unwrap(), [Some(ErrorKind::NotFound)]);
        // Otherwise session and reporter would own each other and never be freed.
        own.lock().unwrap().take();
    });
}

#[test]
fn target_texts_with_nul_are_refused() {
    let target = Target::host().unwrap();
    assert!(target.triple().contains('-'));
    assert!(target.clone().with_cpu("a\0b").is_err());
    assert!(target.with_features("a\0b").is_err());
}
