//! Failures: each look-up of a symbol that failed says why, and says it once.

use std::error::Error as _;
use std::sync::{Arc, Mutex};

use llvm_orc::{Dylib, Error, ErrorKind, Jit, Responsibility, SymbolFlags};

use crate::test_kit::{calling, compiler};

/// A dylib, and what its session reports.
fn reporting_dylib() -> (Dylib, Arc<Mutex<Vec<String>>>) {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let reports = Arc::clone(&reported);
    let reporter = move |error: &Error| reports.lock().unwrap().push(error.to_string());
    let dylib = Jit::builder().reporter(reporter).build().unwrap().create_bare_dylib("test").unwrap();
    (dylib, reported)
}

fn cause(dylib: &Dylib, name: &str) -> String {
    let error = dylib.lookup(name).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link, "{error}");
    error.source().map(ToString::to_string).unwrap_or_else(|| format!("no cause: {error}"))
}

#[test]
fn the_error_of_a_unit_is_the_only_report_and_the_cause_for_all_its_symbols() {
    let (dylib, reported) = reporting_dylib();
    let symbols = ["f", "g"].map(|name| (name, SymbolFlags::FUNCTION));
    dylib
        .define_lazily(symbols, |_: Responsibility| Err(Error::custom(ErrorKind::Module, "mistake in f")))
        .unwrap();
    assert_eq!(cause(&dylib, "f"), "mistake in f");
    // Later, of the other symbol, on another thread.
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(cause(&dylib, "g"), "mistake in f"));
    });
    assert_eq!(cause(&dylib, "f"), "mistake in f");
    assert_eq!(*reported.lock().unwrap(), ["mistake in f"]);
}

#[test]
fn a_responsibility_that_a_unit_drops_is_reported_once() {
    let (dylib, reported) = reporting_dylib();
    dylib.define_lazily([("f", SymbolFlags::FUNCTION)], |_: Responsibility| Ok(())).unwrap();
    let text = "responsibility for f was dropped, neither emitted nor failed";
    assert_eq!([cause(&dylib, "f"), cause(&dylib, "f")], [text, text]);
    assert_eq!(*reported.lock().unwrap(), [text]);
}

#[test]
fn a_unit_may_drop_a_part_of_its_responsibility() {
    let (dylib, reported) = reporting_dylib();
    let symbols = ["f", "g"].map(|name| (name, SymbolFlags::FUNCTION));
    dylib
        .define_lazily(symbols, |mut responsibility: Responsibility| {
            drop(responsibility.delegate(&["g"])?);
            let object = compiler().compile(|cx| crate::test_kit::constant(cx, "f", 1.0))?;
            responsibility.emit_object(&object);
            Ok(())
        })
        .unwrap();
    assert!(dylib.lookup("f").is_ok());
    assert!(cause(&dylib, "g").contains("responsibility for g was dropped"));
    assert_eq!(reported.lock().unwrap().len(), 1);
}

/// The linker names only the symbols of the failed object. A look-up of any of them names what is
/// undefined.
#[test]
fn each_symbol_of_a_failed_object_names_what_is_undefined() {
    let dylib = Jit::builder().build().unwrap().create_bare_dylib("test").unwrap();
    let object = compiler()
        .compile(|cx| {
            let module = calling(cx, "f", "missing_function");
            module.link_in_module(calling(cx, "q", "f")).unwrap();
            module
        })
        .unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::Link));
    });
    for name in ["q", "f", "q"] {
        let error = tracker.lookup(name).unwrap_err();
        assert!(error.to_string().contains("undefined: [ missing_function ]"), "{error}");
        assert!(cause(&dylib, name).contains("missing_function"));
    }
}

/// So does a module that the session compiles.
#[test]
fn each_symbol_of_a_module_without_code_says_why() {
    let dylib = Jit::builder().build().unwrap().create_bare_dylib("test").unwrap();
    let text = "define double @f(double %x) {\n call void asm sideeffect \"no such instruction\", \"\"()\n \
                ret double %x\n}\ndefine double @g(double %x) {\n ret double %x\n}\n";
    let module = llvm_orc::IrModule::build(|cx| crate::test_kit::parse(cx, text)).unwrap();
    let tracker = dylib.add_module(module).unwrap();
    for name in ["g", "f"] {
        assert!(cause(&dylib, name).contains("no such instruction"), "{}", cause(&dylib, name));
    }
    tracker.remove().unwrap();
}
