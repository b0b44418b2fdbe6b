//! Removal: no code that a safe value can still reach is freed, and what nothing reaches is.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};

use llvm_orc::{Compiler, Dylib, ErrorKind, Jit, Memory, Object, Tracker};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant, square_plus};

/// A dylib of each kind of memory.
fn dylibs() -> impl Iterator<Item = (Jit, Dylib)> {
    [Memory::Slabs, Memory::Pages].into_iter().map(|memory| {
        let jit = Jit::builder().memory(memory).build().unwrap();
        let dylib = jit.create_bare_dylib("test").unwrap();
        (jit, dylib)
    })
}

fn call(tracker: &Tracker, name: &str) -> f64 {
    // SAFETY: the tests name functions of this type that the tracker owns.
    unsafe { tracker.lookup_fn::<Unary>(name) }.unwrap().call((2.0,))
}

/// Links objects that would use freed memory.
fn reuse_memory(jit: &Jit, compiler: &mut Compiler) {
    static N_DYLIBS: AtomicU32 = AtomicU32::new(0);
    let object = compiler.compile(|cx| square_plus(cx, "other", 1000.0)).unwrap();
    for _ in 0..50 {
        let name = format!("other{}", N_DYLIBS.fetch_add(1, Ordering::Relaxed));
        let dylib = jit.create_bare_dylib(&name).unwrap();
        dylib.add_object(&object).unwrap().keep();
        dylib.lookup("other").unwrap();
    }
}

fn add(dylib: &Dylib, object: &Object) -> Tracker {
    dylib.add_object(object).unwrap()
}

#[test]
fn a_callee_stays_as_long_as_its_caller() {
    for (jit, dylib) in dylibs() {
        let mut compiler = compiler();
        let callee = compiler.compile(|cx| square_plus(cx, "a", 1.0)).unwrap();
        let direct = compiler.compile(|cx| calling(cx, "b", "a")).unwrap();
        let indirect = compiler.compile(|cx| calling(cx, "c", "b")).unwrap();
        let callee = add(&dylib, &callee);
        let direct = add(&dylib, &direct);
        let indirect = add(&dylib, &indirect);
        assert_eq!(call(&indirect, "c"), 5.0);
        callee.remove().unwrap();
        assert_eq!(dylib.lookup("a").unwrap_err().kind(), ErrorKind::NotFound);
        reuse_memory(&jit, &mut compiler);
        assert_eq!((call(&direct, "b"), call(&indirect, "c")), (5.0, 5.0));
        drop(direct);
        // The names are free, and new callers get the new definition.
        let callee = add(&dylib, &compiler.compile(|cx| square_plus(cx, "a", 2.0)).unwrap());
        assert_eq!((call(&callee, "a"), call(&indirect, "c")), (6.0, 5.0));
    }
}

/// A weak function that two objects define is linked once, and the other object calls it.
#[test]
fn a_shared_weak_function_stays_as_long_as_its_callers() {
    use inkwell::module::Linkage;
    for (jit, dylib) in dylibs() {
        let mut compiler = compiler();
        let mut object = |name: &str, addend: f64| {
            compiler
                .compile(|cx| {
                    let module = square_plus(cx, "weak", addend);
                    let weak = module.get_function("weak").unwrap();
                    weak.set_linkage(Linkage::LinkOnceODR);
                    crate::test_kit::function(cx, &module, name, 1, |builder, function| {
                        let x = function.get_nth_param(0).unwrap();
                        let result = builder.build_call(weak, &[x.into()], "result").unwrap();
                        builder.build_return(Some(&result.try_as_basic_value().unwrap_basic())).unwrap();
                    });
                    module
                })
                .unwrap()
        };
        let first = add(&dylib, &object("f", 1.0));
        assert_eq!(call(&first, "f"), 5.0);
        let second = add(&dylib, &object("h", 1.0));
        assert_eq!(call(&second, "h"), 5.0);
        first.remove().unwrap();
        reuse_memory(&jit, &mut compiler);
        assert_eq!(call(&second, "h"), 5.0);
    }
}

#[test]
fn code_of_a_removed_dylib_stays_as_long_as_its_callers() {
    for (jit, program) in dylibs() {
        let mut compiler = compiler();
        let library = jit.create_bare_dylib("library").unwrap();
        add(&library, &compiler.compile(|cx| square_plus(cx, "a", 1.0)).unwrap()).keep();
        program.link_against(&[&library]);
        let caller = add(&program, &compiler.compile(|cx| calling(cx, "b", "a")).unwrap());
        assert_eq!(call(&caller, "b"), 5.0);
        library.remove().unwrap();
        reuse_memory(&jit, &mut compiler);
        assert_eq!(call(&caller, "b"), 5.0);
    }
}

#[test]
fn code_of_a_removed_dylib_stays_as_long_as_its_trackers() {
    for (jit, dylib) in dylibs() {
        let mut compiler = compiler();
        let tracker = add(&dylib, &compiler.compile(|cx| constant(cx, "f", 7.0)).unwrap());
        let other = add(&dylib, &compiler.compile(|cx| constant(cx, "g", 8.0)).unwrap());
        // SAFETY: the functions have these types and belong to the trackers.
        let f = unsafe { tracker.lookup_fn::<Nullary>("f") }.unwrap();
        // SAFETY: as above.
        let g = unsafe { other.lookup_fn::<Nullary>("g") }.unwrap();
        dylib.clone().remove().unwrap();
        dylib.clone().remove().unwrap();
        reuse_memory(&jit, &mut compiler);
        assert_eq!((f.call(()), g.call(())), (7.0, 8.0));
        tracker.remove().unwrap();
        reuse_memory(&jit, &mut compiler);
        assert_eq!(g.call(()), 8.0);
        assert!(dylib.lookup("g").is_err());
    }
}

/// What nothing can reach is freed, in whatever order it is removed: its memory is used again.
#[test]
fn unreachable_code_is_freed() {
    let chain: &[(&str, &str)] = &[("a", ""), ("b", "a"), ("c", "b")];
    let cycle: &[(&str, &str)] = &[("a", "b"), ("b", "c"), ("c", "a")];
    let both: &[(&str, &str)] = &[("a", "b"), ("b", "a"), ("c", "a")];
    for (_jit, dylib) in dylibs() {
        let mut compiler = compiler();
        for objects in [chain, cycle, both] {
            let objects: Vec<Object> = objects
                .iter()
                .map(|&(name, callee)| {
                    let object = compiler.compile(|cx| match callee {
                        "" => square_plus(cx, name, 1.0),
                        _ => calling(cx, name, callee),
                    });
                    object.unwrap()
                })
                .collect();
            for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1]] {
                let mut addresses = HashSet::new();
                for _ in 0..100 {
                    let mut trackers: Vec<_> =
                        objects.iter().map(|object| Some(add(&dylib, object))).collect();
                    addresses.extend(["a", "b", "c"].map(|name| dylib.lookup(name).unwrap()));
                    for nth in order {
                        trackers[nth].take().unwrap().remove().unwrap();
                    }
                }
                // Slabs use the same places again. The system may give pages elsewhere, but not
                // without an end.
                assert!(addresses.len() < 100, "{order:?}: {} addresses", addresses.len());
            }
        }
    }
}

#[test]
fn failed_links_keep_nothing() {
    for (_jit, dylib) in dylibs() {
        let mut compiler = compiler();
        let callee = compiler.compile(|cx| square_plus(cx, "a", 1.0)).unwrap();
        let failing = compiler
            .compile(|cx| {
                let module = calling(cx, "b", "a");
                let inner = calling(cx, "c", "missing");
                module.link_in_module(inner).unwrap();
                module
            })
            .unwrap();
        let mut addresses = HashSet::new();
        for _ in 0..100 {
            let tracker = add(&dylib, &callee);
            addresses.insert(tracker.lookup("a").unwrap());
            let failed = add(&dylib, &failing);
            assert_eq!(failed.lookup("b").unwrap_err().kind(), ErrorKind::Link);
            tracker.remove().unwrap();
        }
        assert!(addresses.len() < 50, "{} addresses", addresses.len());
    }
}
