//! Drop order: handles are dropped in every order, on this thread and on others.

use std::sync::mpsc;
use std::thread;

use llvm_orc::{
    Dylib, ErrorKind, IrModule, Jit, PendingLookup, Responsibility, SuspendedLookup, SymbolFlags, Tracker,
};

use crate::test_kit::{Nullary, compiler, constant};
use crate::time_limit::within_limit;

#[test]
fn jit_dylib_and_tracker_drop_in_any_order() {
    let object = compiler().compile(|cx| constant(cx, "f", 4.0)).unwrap();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for linked in [false, true] {
            let jit = Jit::builder().build().unwrap();
            let dylib = jit.create_bare_dylib("test").unwrap();
            let tracker = dylib.add_object(&object).unwrap();
            if linked {
                tracker.lookup("f").unwrap();
            }
            let (mut jit, mut dylib, mut tracker) = (Some(jit), Some(dylib), Some(tracker));
            for which in order {
                match which {
                    0 => jit = None,
                    1 => dylib = None,
                    _ => tracker = None,
                }
                if let (true, Some(tracker)) = (linked, &tracker) {
                    // SAFETY: `f` has that type.
                    assert_eq!(unsafe { tracker.lookup_fn::<Nullary>("f") }.unwrap().call(()), 4.0);
                }
            }
            drop((jit, dylib, tracker));
        }
    }
}

/// Any handle of a session.
#[expect(dead_code, reason = "a handle is held to be dropped")]
enum Handle {
    Jit(Jit),
    Dylib(Dylib),
    Linked(Tracker),
    Module(Tracker),
    Responsibility(Responsibility),
    Suspended(SuspendedLookup),
}

/// All permutations of `0..n`.
fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let insert =
        |order: Vec<usize>| (0..n).map(move |place| [&order[..place], &[n - 1], &order[place..]].concat());
    orders(n - 1).into_iter().flat_map(insert).collect()
}

#[test]
fn all_handles_drop_in_any_order() {
    within_limit(|| {
        let object = compiler().compile(|cx| constant(cx, "f", 4.0)).unwrap();
        for order in orders(6) {
            let jit = Jit::builder().build().unwrap();
            let dylib = jit.create_bare_dylib("test").unwrap();
            let linked = dylib.add_object(&object).unwrap();
            linked.lookup("f").unwrap();
            let module = dylib.add_module(IrModule::build(|cx| constant(cx, "g", 4.0)).unwrap()).unwrap();
            let (sender, responsibilities) = mpsc::channel();
            let hand_over = move |responsibility| {
                sender.send(responsibility).expect("it is received");
                Ok(())
            };
            dylib.define_lazily([("lazy", SymbolFlags::FUNCTION)], hand_over).unwrap();
            let (sender, look_ups) = mpsc::channel();
            dylib.add_generator(move |lookup: &mut PendingLookup<'_>| {
                sender.send(lookup.suspend()).expect("it is received");
                Ok(())
            });
            let waiting = ["lazy", "missing"].map(|name| {
                let dylib = dylib.clone();
                thread::spawn(move || dylib.lookup(name).unwrap_err().kind())
            });
            let responsibility = responsibilities.recv().unwrap();
            let suspended = look_ups.recv().unwrap();
            let mut handles = [
                Some(Handle::Jit(jit)),
                Some(Handle::Dylib(dylib)),
                Some(Handle::Linked(linked)),
                Some(Handle::Module(module)),
                Some(Handle::Responsibility(responsibility)),
                Some(Handle::Suspended(suspended)),
            ];
            for which in order {
                handles[which] = None;
            }
            assert_eq!(waiting.map(|thread| thread.join().unwrap()), [ErrorKind::Link, ErrorKind::NotFound]);
        }
    });
}

#[test]
fn the_last_handle_may_drop_on_another_thread() {
    let object = compiler().compile(|cx| constant(cx, "f", 4.0)).unwrap();
    let dylib = Jit::builder().build().unwrap().create_bare_dylib("test").unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    tracker.lookup("f").unwrap();
    drop(dylib);
    std::thread::spawn(move || drop(tracker)).join().unwrap();
}

#[test]
fn a_session_drops_its_reporter() {
    let alive = std::sync::Arc::new(());
    let held = std::sync::Arc::clone(&alive);
    let jit = Jit::builder()
        .reporter(move |_| {
            let _ = &held;
        })
        .build()
        .unwrap();
    let dylib = jit.create_bare_dylib("test").unwrap();
    drop(jit);
    assert_eq!(std::sync::Arc::strong_count(&alive), 2);
    drop(dylib);
    assert_eq!(std::sync::Arc::strong_count(&alive), 1);
}

#[test]
fn an_object_outlives_its_compiler() {
    let mut compiler = compiler();
    let object = compiler.compile(|cx| constant(cx, "f", 4.0)).unwrap();
    drop(compiler);
    assert!(object.code_bytes() > 0);
}
