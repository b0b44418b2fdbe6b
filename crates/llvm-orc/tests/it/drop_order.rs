//! Handles dropped in every order, on this thread and on others.

use llvm_orc::Jit;

use crate::support::{Nullary, compiler, constant};

#[test]
fn handles_go_in_any_order() {
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
                    // SAFETY: `f` is of that type.
                    assert_eq!(unsafe { tracker.lookup_fn::<Nullary>("f") }.unwrap().call(()), 4.0);
                }
            }
            drop((jit, dylib, tracker));
        }
    }
}

#[test]
fn the_last_handle_may_go_on_another_thread() {
    let object = compiler().compile(|cx| constant(cx, "f", 4.0)).unwrap();
    let dylib = Jit::builder().build().unwrap().create_bare_dylib("test").unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    tracker.lookup("f").unwrap();
    drop(dylib);
    std::thread::spawn(move || drop(tracker)).join().unwrap();
}

#[test]
fn a_reporter_goes_with_its_session() {
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
