//! Circles: look-ups that would wait for themselves end with an error, and no others do.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use llvm_orc::{Dylib, Error, ErrorKind, Jit, Responsibility, SymbolFlags};

use crate::test_kit::{Nullary, Unary, calling, compiler, constant, dylib, square_plus};
use crate::time_limit::within_limit;

const FUNCTION: SymbolFlags = SymbolFlags::FUNCTION;

fn call(dylib: &Dylib, name: &str) -> Result<f64, Error> {
    // SAFETY: the callers name functions of this type, which are not removed during the call.
    Ok(unsafe { dylib.lookup_fn::<Nullary>(name) }?.call(()))
}

/// Units on several threads, each of which looks up the next: one look-up fails, and all end.
#[test]
fn units_that_look_each_other_up_do_not_wait_forever() {
    within_limit(|| {
        for n_units in [2, 3, 5] {
            let dylib = dylib();
            let start = Arc::new(Barrier::new(n_units));
            let results = Arc::new(Mutex::new(Vec::new()));
            let name = |number: usize| format!("f{}", number % n_units);
            for number in 0..n_units {
                let (start, results, name, next) =
                    (Arc::clone(&start), Arc::clone(&results), name(number), name(number + 1));
                let unit = move |responsibility: Responsibility| {
                    start.wait();
                    let found = responsibility.dylib().lookup(&next);
                    results.lock().unwrap().push(found.map(drop).map_err(|error| error.to_string()));
                    let object = compiler().compile(|cx| constant(cx, &name, 1.0))?;
                    responsibility.emit_object(&object);
                    Ok(())
                };
                dylib.define_lazily([(&*format!("f{number}"), FUNCTION)], unit).unwrap();
            }
            thread::scope(|scope| {
                for number in 0..n_units {
                    let dylib = &dylib;
                    scope.spawn(move || assert_eq!(call(dylib, &format!("f{number}")).unwrap(), 1.0));
                }
            });
            let mut results = results.lock().unwrap().clone();
            results.sort();
            let failed: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
            assert_eq!(failed.len(), 1, "{results:?}");
            assert!(failed[0].contains("would wait for itself"), "{failed:?}");
        }
    });
}

/// Generators that look each other's dylibs up, and a generator and a unit that do.
#[test]
fn generators_that_look_each_other_up_do_not_wait_forever() {
    within_limit(|| {
        let jit = Jit::builder().build().unwrap();
        let dylibs = ["one", "two"].map(|name| jit.create_bare_dylib(name).unwrap());
        let start = Arc::new(Barrier::new(2));
        let n_failed = Arc::new(AtomicU32::new(0));
        for (nth, dylib) in dylibs.iter().enumerate() {
            // The generator owns a handle of the other dylib, so the session is not freed.
            let (other, start, n_failed) =
                (dylibs[1 - nth].clone(), Arc::clone(&start), Arc::clone(&n_failed));
            dylib.add_generator(move |lookup: &mut llvm_orc::PendingLookup<'_>| {
                if lookup.names() == ["first"] {
                    start.wait();
                    let found = other.lookup("second").unwrap_err();
                    if found.to_string().contains("would wait for itself") {
                        n_failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Ok(())
            });
        }
        thread::scope(|scope| {
            for dylib in &dylibs {
                scope.spawn(|| assert_eq!(dylib.lookup("first").unwrap_err().kind(), ErrorKind::NotFound));
            }
        });
        assert_eq!(n_failed.load(Ordering::Relaxed), 1);
    });
}

/// A unit whose look-up needs an object that is linked to the unit's own symbol.
#[test]
#[cfg(feature = "shim")]
fn a_unit_and_a_link_that_need_each_other_do_not_wait_forever() {
    within_limit(|| {
        for by_another_thread in [false, true] {
            let dylib = dylib();
            let linked = compiler().compile(|cx| calling(cx, "linked", "unit")).unwrap();
            let start = Arc::new(Barrier::new(2));
            let tracker = if by_another_thread {
                let start = Arc::clone(&start);
                dylib
                    .define_lazily([("linked", FUNCTION)], move |responsibility: Responsibility| {
                        start.wait();
                        responsibility.emit_object(&linked);
                        Ok(())
                    })
                    .unwrap();
                None
            } else {
                Some(dylib.add_object(&linked).unwrap())
            };
            let unit = move |responsibility: Responsibility| {
                if by_another_thread {
                    start.wait();
                }
                let error = responsibility.dylib().lookup("linked").unwrap_err();
                assert!(error.to_string().contains("would wait for itself"), "{error}");
                let object = compiler().compile(|cx| square_plus(cx, "unit", 1.0))?;
                responsibility.emit_object(&object);
                // Its symbol is there now, so the link can end.
                Ok(())
            };
            dylib.define_lazily([("unit", FUNCTION)], unit).unwrap();
            thread::scope(|scope| {
                for name in ["unit", "linked"] {
                    let dylib = &dylib;
                    if name == "linked" && !by_another_thread {
                        continue;
                    }
                    scope.spawn(move || dylib.lookup(name).unwrap());
                }
            });
            // SAFETY: the function has that type, and nothing is removed.
            let linked = unsafe { dylib.lookup_fn::<Unary>("linked") }.unwrap();
            assert_eq!(linked.call((2.0,)), 5.0);
            drop(tracker);
        }
    });
}

/// A unit that has emitted its symbol may look up what is linked to it.
#[test]
fn a_unit_that_has_emitted_its_symbols_looks_up_what_needs_them() {
    within_limit(|| {
        let dylib = dylib();
        let linked = compiler().compile(|cx| calling(cx, "linked", "unit")).unwrap();
        let tracker = dylib.add_object(&linked).unwrap();
        let unit = move |responsibility: Responsibility| {
            let dylib = responsibility.dylib().clone();
            let object = compiler().compile(|cx| square_plus(cx, "unit", 1.0))?;
            responsibility.emit_object(&object);
            dylib.lookup("linked")?;
            dylib.lookup("unit").map(drop)
        };
        dylib.define_lazily([("unit", FUNCTION)], unit).unwrap();
        dylib.lookup("unit").unwrap();
        // SAFETY: the function has that type, and the unit is not removed.
        assert_eq!(unsafe { tracker.lookup_fn::<Unary>("linked") }.unwrap().call((2.0,)), 5.0);
    });
}

/// A look-up that waits for a unit which is running, and ends, is no circle.
#[test]
fn units_that_look_up_what_others_are_materializing_wait() {
    within_limit(|| {
        for _ in 0..50 {
            let dylib = dylib();
            let unit = |responsibility: Responsibility| {
                responsibility.emit_object(&compiler().compile(|cx| constant(cx, "c", 3.0))?);
                Ok(())
            };
            dylib.define_lazily([("c", FUNCTION)], unit).unwrap();
            for (name, value) in [("a", 1.0), ("b", 2.0)] {
                let unit = move |responsibility: Responsibility| {
                    let dylib = responsibility.dylib().clone();
                    let object = compiler().compile(|cx| constant(cx, name, value))?;
                    responsibility.emit_object(&object);
                    let other = if name == "a" { "b" } else { "a" };
                    assert_eq!(call(&dylib, other)?, 3.0 - value);
                    call(&dylib, "c").map(drop)
                };
                dylib.define_lazily([(name, FUNCTION)], unit).unwrap();
            }
            thread::scope(|scope| {
                for (name, value) in [("a", 1.0), ("b", 2.0)] {
                    let dylib = &dylib;
                    scope.spawn(move || assert_eq!(call(dylib, name).unwrap(), value));
                }
            });
        }
    });
}
