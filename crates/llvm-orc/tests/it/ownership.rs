//! Ownership: symbols that keep their code, and closures that fail.

use std::sync::Arc;

use inkwell::context::Context;
use inkwell::module::Module;
use llvm_orc::{Compiler, ErrorKind, IrModule, OwnedSymbol, Passes};

use crate::test_kit::{Unary, compiler, dylib, square_plus};

/// A function beside what it needs, without a lifetime.
struct Stored {
    function: OwnedSymbol<Unary>,
}

fn stored(name: &str, addend: f64) -> Stored {
    let dylib = dylib();
    let object = compiler().compile(|cx| square_plus(cx, name, addend)).unwrap();
    let tracker = Arc::new(dylib.add_object(&object).unwrap());
    // SAFETY: the function belongs to the tracker and has this type.
    Stored { function: unsafe { tracker.lookup_owned_fn(name) }.unwrap() }
}

#[test]
fn an_owned_symbol_keeps_its_code() {
    let stored = stored("f", 1.0);
    let clone = stored.function.clone();
    let address = stored.function.address();
    drop(stored);
    assert_eq!(std::thread::spawn(move || clone.call((2.0,))).join().unwrap(), 5.0);
    assert!(address.get() != 0);
}

#[test]
fn the_last_owned_symbol_frees_its_code() {
    let Stored { function } = stored("f", 1.0);
    let dylib = function.tracker().dylib().clone();
    let other = function.clone();
    drop(function);
    assert!(dylib.lookup("f").is_ok());
    assert_eq!((other.as_symbol().call((3.0,)), other.call((3.0,))), (10.0, 10.0));
    drop(other);
    assert_eq!(dylib.lookup("f").unwrap_err().kind(), ErrorKind::NotFound);
}

#[derive(Debug)]
enum Failure {
    Program(&'static str),
    Llvm(llvm_orc::Error),
}

impl From<llvm_orc::Error> for Failure {
    fn from(error: llvm_orc::Error) -> Self {
        Self::Llvm(error)
    }
}

fn fill(cx: &Context, is_mistake: bool) -> Result<Module<'_>, Failure> {
    if is_mistake { Err(Failure::Program("mistake")) } else { Ok(square_plus(cx, "f", 1.0)) }
}

#[test]
fn a_closure_that_fills_a_module_can_fail() {
    let mut compiler: Compiler = compiler();
    let no_passes = Passes::none();
    for is_mistake in [true, false] {
        for with_passes in [false, true] {
            let result = if with_passes {
                compiler.try_compile_with(&no_passes, |cx| fill(cx, is_mistake))
            } else {
                compiler.try_compile(|cx| fill(cx, is_mistake))
            };
            match result {
                Ok(object) => assert!(!is_mistake && object.code_bytes() > 0),
                Err(Failure::Program(text)) => assert!(is_mistake && text == "mistake"),
                Err(Failure::Llvm(error)) => panic!("{error}"),
            }
        }
    }
    // Errors of LLVM are converted.
    let malformed = compiler.try_compile(|cx| {
        let module = cx.create_module("m");
        crate::test_kit::function(cx, &module, "f", 0, |_, _| {});
        Ok::<_, Failure>(module)
    });
    assert!(matches!(malformed, Err(Failure::Llvm(error)) if error.kind() == ErrorKind::Module));
    let failed = IrModule::try_build(|_| Err::<Module<'_>, _>(Failure::Program("mistake")));
    assert!(matches!(failed, Err(Failure::Program("mistake"))));
    assert!(IrModule::try_build(|cx| Ok::<_, Failure>(square_plus(cx, "f", 1.0))).is_ok());
}
