//! Session hooks: each linked object with its tracker, and another code generator.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use inkwell::module::Module;
use llvm_orc::{
    Error, ErrorKind, IrModule, Jit, LinkedObject, Object, Responsibility, SymbolFlags, TrackerId,
};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant, square_plus};

#[test]
fn each_linked_object_is_shown_with_its_tracker_and_addresses() {
    type Seen = (TrackerId, String, Vec<(String, u64)>, usize);
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let seen_by_hook = Arc::clone(&seen);
    let hook = move |linked: &LinkedObject<'_>| {
        let functions = linked.functions();
        assert!(functions.iter().all(|function| function.n_bytes() > 0));
        let sections = linked.sections();
        for function in &functions {
            let within = |section: &&llvm_orc::LinkedRange| {
                let start = section.address().get();
                (start..start + section.n_bytes()).contains(&function.address().get())
            };
            assert_eq!(sections.iter().find(within).unwrap().name(), ".text", "{sections:?}");
        }
        let functions =
            functions.iter().map(|function| (function.name().to_owned(), function.address().get())).collect();
        let n_bytes = linked.object().bytes().len();
        seen_by_hook.lock().unwrap().push((linked.tracker(), linked.dylib_name(), functions, n_bytes));
    };
    let dylib = Jit::builder().on_linked(hook).build().unwrap().create_bare_dylib("test").unwrap();
    let object = compiler().compile(|cx| square_plus(cx, "added", 1.0)).unwrap();
    let added = dylib.add_object(&object).unwrap();
    let compiled = dylib.add_module(IrModule::build(|cx| constant(cx, "compiled", 1.0)).unwrap()).unwrap();
    let emitted = dylib
        .define_lazily_tracked([("emitted", SymbolFlags::FUNCTION)], |responsibility: Responsibility| {
            responsibility.emit_object(&self::compiler().compile(|cx| constant(cx, "emitted", 2.0))?);
            Ok(())
        })
        .unwrap();
    assert!(seen.lock().unwrap().is_empty(), "nothing is linked before a look-up");
    let failing =
        dylib.add_object(&compiler().compile(|cx| calling(cx, "failing", "missing")).unwrap()).unwrap();
    assert!(failing.lookup("failing").is_err());
    for (tracker, name) in [(&added, "added"), (&compiled, "compiled"), (&emitted, "emitted")] {
        let address = tracker.lookup(name).unwrap().get();
        let (id, dylib_name, functions, n_bytes) = seen.lock().unwrap().pop().unwrap();
        assert_eq!((id, dylib_name.as_str()), (tracker.id(), "test"));
        assert_eq!(functions, [(name.to_owned(), address)]);
        assert!(n_bytes > 100);
    }
    assert!(seen.lock().unwrap().is_empty(), "objects that failed are not shown");
}

#[test]
fn a_panic_in_the_hook_is_raised_by_the_look_up() {
    let jit = Jit::builder().on_linked(|_| panic!("in the hook")).build().unwrap();
    let dylib = jit.create_bare_dylib("test").unwrap();
    let tracker = dylib.add_object(&compiler().compile(|cx| constant(cx, "f", 1.0)).unwrap()).unwrap();
    let raised = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tracker.lookup("f"))).unwrap_err();
    assert_eq!(raised.downcast_ref::<&str>(), Some(&"in the hook"));
    assert!(tracker.lookup("f").is_ok());
}

#[test]
fn another_code_generator_compiles_modules() {
    let n_generated = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&n_generated);
    // Compiles the module again from its text: what it gets is the whole module.
    let generator = move |module: &Module<'_>| -> Result<Object, Error> {
        count.fetch_add(1, Ordering::Relaxed);
        let text = module.print_to_string().to_string();
        if text.contains("refused") {
            return Err(Error::custom(ErrorKind::Codegen, "refused by the generator"));
        }
        compiler().compile(|cx| crate::test_kit::parse(cx, &text))
    };
    let dylib = Jit::builder().code_generator(generator).build().unwrap().create_bare_dylib("test").unwrap();
    let tracker = dylib.add_module(IrModule::build(|cx| square_plus(cx, "f", 1.0)).unwrap()).unwrap();
    assert_eq!(n_generated.load(Ordering::Relaxed), 0);
    // SAFETY: the function has that type.
    assert_eq!(unsafe { tracker.lookup_fn::<Unary>("f") }.unwrap().call((2.0,)), 5.0);
    assert_eq!(n_generated.load(Ordering::Relaxed), 1);
    let refused = dylib.add_module(IrModule::build(|cx| constant(cx, "refused", 1.0)).unwrap()).unwrap();
    let error = refused.lookup("refused").unwrap_err();
    assert!(format!("{error:?}").contains("refused by the generator"), "{error:?}");
}

#[test]
fn a_code_generator_compiles_what_is_looked_up() {
    let n_generated = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&n_generated);
    let generator = Arc::new(move |(name, value): &(String, f64)| {
        count.fetch_add(1, Ordering::Relaxed);
        compiler().compile(|cx| constant(cx, name, *value))
    });
    let dylib = crate::test_kit::dylib();
    let trackers: Vec<_> = [("one", 1.0), ("two", 2.0)]
        .into_iter()
        .map(|(name, value)| {
            let input = (name.to_owned(), value);
            dylib.generate_lazily([(name, SymbolFlags::FUNCTION)], &generator, input).unwrap()
        })
        .collect();
    // SAFETY: the function has that type.
    let two = unsafe { trackers[1].lookup_fn::<Nullary>("two") }.unwrap();
    assert_eq!((two.call(()), n_generated.load(Ordering::Relaxed)), (2.0, 1));
}
