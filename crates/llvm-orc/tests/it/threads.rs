//! Thread tests: eight threads use one session.

use std::cell::RefCell;
use std::sync::{Arc, Barrier};
use std::thread;

use llvm_orc::{Address, Compiler, ErrorKind, Jit, OptLevel, Tracker};

use crate::test_kit::{Nullary, Unary, calling, constant, dylib, square_plus};
use crate::time_limit::within_limit;

const N_THREADS: u32 = 8;

fn quick_compiler() -> Compiler {
    Compiler::builder().opt_level(OptLevel::None).build().unwrap()
}

#[test]
fn threads_add_look_up_call_and_remove() {
    within_limit(|| {
        let dylib = dylib();
        extern "C" fn half(x: f64) -> f64 {
            x / 2.0
        }
        // SAFETY: `half` has the type that `calling` gives its callee, and always exists.
        unsafe { dylib.define_absolute([("half", Address::from(half as *const ()))]) }.unwrap();
        thread::scope(|scope| {
            for thread in 0..N_THREADS {
                let dylib = dylib.clone();
                scope.spawn(move || {
                    let mut compiler = quick_compiler();
                    let mut kept = Vec::new();
                    for n in 0..60 {
                        let name = format!("f{thread}_{n}");
                        let object = if n % 3 == 0 {
                            compiler.compile(|cx| calling(cx, &name, "half"))
                        } else {
                            compiler.compile(|cx| square_plus(cx, &name, f64::from(n)))
                        };
                        let tracker = dylib.add_object(&object.unwrap()).unwrap();
                        // SAFETY: both have that type.
                        let f = unsafe { tracker.lookup_fn::<Unary>(&name) }.unwrap();
                        let expected = if n % 3 == 0 { 1.5 } else { 9.0 + f64::from(n) };
                        assert_eq!(f.call((3.0,)), expected);
                        match n % 4 {
                            0 => kept.push(tracker),
                            1 => tracker.remove().unwrap(),
                            _ => drop(tracker),
                        }
                    }
                });
            }
        });
        assert_eq!(dylib.lookup("f0_1").unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn racing_look_ups_link_a_symbol_once() {
    within_limit(|| {
        let dylib = dylib();
        let mut compiler = quick_compiler();
        for round in 0..40 {
            let name = format!("f{round}");
            let object = compiler.compile(|cx| constant(cx, &name, f64::from(round))).unwrap();
            let tracker = dylib.add_object(&object).unwrap();
            let start = Arc::new(Barrier::new(N_THREADS as usize));
            let addresses: Vec<_> = thread::scope(|scope| {
                let racers: Vec<_> = (0..N_THREADS)
                    .map(|_| {
                        let (start, tracker, name) = (Arc::clone(&start), &tracker, &name);
                        scope.spawn(move || {
                            start.wait();
                            tracker.lookup(name).unwrap()
                        })
                    })
                    .collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).collect()
            });
            assert!(addresses.iter().all(|&address| address == addresses[0]));
            // SAFETY: the function has that type.
            assert_eq!(unsafe { tracker.lookup_fn::<Nullary>(&name) }.unwrap().call(()), f64::from(round));
        }
    });
}

#[test]
fn a_symbol_is_removed_during_look_ups() {
    within_limit(|| {
        let dylib = dylib();
        let mut compiler = quick_compiler();
        let object = compiler.compile(|cx| constant(cx, "f", 1.0)).unwrap();
        for _ in 0..40 {
            let tracker = dylib.add_object(&object).unwrap();
            let start = Arc::new(Barrier::new(N_THREADS as usize + 1));
            thread::scope(|scope| {
                for _ in 0..N_THREADS {
                    let (start, dylib) = (Arc::clone(&start), dylib.clone());
                    scope.spawn(move || {
                        start.wait();
                        // Defined, removed, or removed while it is linked: every look-up gets an
                        // answer.
                        if let Err(error) = dylib.lookup("f") {
                            assert!(
                                matches!(
                                    error.kind(),
                                    ErrorKind::NotFound | ErrorKind::Link | ErrorKind::Removed
                                ),
                                "{error:?}"
                            );
                        }
                    });
                }
                start.wait();
                tracker.remove().unwrap();
            });
        }
    });
}

#[test]
fn a_session_and_a_compiler_start_concurrently() {
    within_limit(|| {
        let session = thread::spawn(|| Jit::builder().build().unwrap());
        let object = quick_compiler().compile(|cx| constant(cx, "f", 2.0)).unwrap();
        let dylib = session.join().unwrap().create_bare_dylib("test").unwrap();
        assert!(dylib.add_object(&object).unwrap().lookup("f").is_ok());
    });
}

/// Compiles, calls and removes when its thread ends.
struct Late(RefCell<Option<Tracker>>);

impl Drop for Late {
    fn drop(&mut self) {
        let Some(tracker) = self.0.borrow_mut().take() else { return };
        assert!(tracker.lookup("missing").is_err());
        assert!(tracker.lookup("f").is_ok() || tracker.lookup("g").is_ok());
        drop(tracker);
    }
}

#[test]
fn a_thread_that_ends_may_call_llvm() {
    thread_local! {
        static EARLIER: Late = const { Late(RefCell::new(None)) };
        static LATER: Late = const { Late(RefCell::new(None)) };
    }
    let dylib = dylib();
    let object = quick_compiler().compile(|cx| square_plus(cx, "f", 1.0)).unwrap();
    let tracker = dylib.add_object(&object).unwrap();
    let other = dylib.add_object(&quick_compiler().compile(|cx| constant(cx, "g", 2.0)).unwrap()).unwrap();
    let body = || {
        EARLIER.with(|late| late.0.replace(Some(tracker)));
        other.lookup("g").unwrap();
        LATER.with(|late| late.0.replace(Some(other)));
    };
    thread::spawn(body).join().unwrap();
}
