//! What each failure is called, and panics in the reporter.

use std::panic::{AssertUnwindSafe, catch_unwind};

use llvm_orc::{Address, Compiler, ErrorKind, Jit, Object, Passes, Target};

use crate::test_kit::{calling, compiler, constant, dylib};

#[test]
fn a_name_is_defined_once() {
    let dylib = dylib();
    let object = compiler().compile(|cx| constant(cx, "f", 1.0)).unwrap();
    let _first = dylib.add_object(&object).unwrap();
    let error = dylib.add_object(&object).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Duplicate, "{error}");
    // SAFETY: nothing uses it.
    let error =
        unsafe { dylib.define_absolute([("g", Address::new(8)), ("f", Address::new(8))]) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Duplicate, "{error}");
    assert_eq!(dylib.lookup("g").unwrap_err().kind(), ErrorKind::NotFound, "all or none");
    assert!(dylib.lookup("f").is_ok());
}

#[test]
fn a_dylib_has_a_name_of_its_own() {
    let jit = Jit::builder().build().unwrap();
    let first = jit.create_bare_dylib("a").unwrap();
    assert_eq!(jit.create_bare_dylib("a").unwrap_err().kind(), ErrorKind::Duplicate);
    assert_eq!(first.name(), "a");
}

#[test]
fn names_hold_no_nul() {
    let dylib = dylib();
    assert_eq!(dylib.lookup("a\0b").unwrap_err().kind(), ErrorKind::Name);
    // SAFETY: nothing uses it.
    let error = unsafe { dylib.define_absolute([("a\0b", Address::new(8))]) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Name);
}

#[test]
fn a_pipeline_is_checked_when_the_compiler_is_made() {
    let error = Compiler::builder().passes(Passes::text("no-such-pass")).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Pipeline);
    assert!(error.to_string().contains("no-such-pass"), "{error}");
}

#[test]
fn garbage_is_no_object() {
    // SAFETY: nothing of it is run.
    let error = unsafe { Object::from_bytes(*b"\x7fELF and so on, but not really") }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Object);
    assert!(error.to_string().starts_with("not an object file"), "{error}");
}

#[test]
fn an_error_is_shown_shortly_and_in_full() {
    let dylib = dylib();
    let object = compiler().compile(|cx| calling(cx, "f", "missing")).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    let error = tracker.lookup("f").unwrap_err();
    assert!(!error.to_string().contains('\n'));
    let full = format!("{error:?}");
    assert!(full.contains("Link") && full.contains("missing"), "{full}");
}

#[test]
fn a_panic_in_the_reporter_is_raised_where_it_was_caused() {
    let jit = Jit::builder().reporter(|error| panic!("cannot have {error}")).build().unwrap();
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
    use std::sync::{Arc, Mutex};
    let own: Arc<Mutex<Option<llvm_orc::Dylib>>> = Arc::default();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (of, answers) = (Arc::clone(&own), Arc::clone(&asked));
    let jit = Jit::builder()
        .reporter(move |_| {
            let dylib = of.lock().unwrap().clone();
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
    assert_eq!(*asked.lock().unwrap(), [Some(ErrorKind::NotFound)]);
    // Otherwise the session would keep itself.
    own.lock().unwrap().take();
}

#[test]
fn an_unknown_triple_is_refused() {
    let target = Target::host().unwrap();
    assert!(target.triple().contains('-'));
    assert!(target.clone().with_cpu("a\0b").is_err());
    assert!(target.with_features("a\0b").is_err());
}
