//! Host functions: closures of the host that programs call.

use crate::{check, engine};
use kaleidoscope::{CallError, DiagnosticCode, Engine, ErrorKind, Mode, OutputBuffer};
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, Weak};
use std::thread;

/// A value that a closure owns: tests check when it is dropped.
struct Owned(f64);

fn owning(value: f64) -> (Weak<Owned>, impl Fn(f64) -> f64 + Send + Sync + 'static) {
    let owned = Arc::new(Owned(value));
    (Arc::downgrade(&owned), move |x| x + owned.0)
}

#[test]
fn closures_of_each_arity_are_functions_of_programs() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        type D = f64;
        engine.register("zero", || 0.5).unwrap();
        engine.register("one", |a: D| a + 1.0).unwrap();
        engine.register("two", |a: D, b: D| a - b).unwrap();
        engine.register("three", |x: D, lo: D, hi: D| x.max(lo).min(hi)).unwrap();
        engine.register("four", |a: D, b: D, c: D, d: D| a + 2.0 * b + 3.0 * c + 4.0 * d).unwrap();
        engine.register("five", |a: D, b: D, c: D, d: D, e: D| ((a * 2.0 + b) * 2.0 + c) * d - e).unwrap();
        engine.register("six", |a: D, b: D, c: D, d: D, e: D, f: D| a - b + c - d + e - f).unwrap();
        engine
            .register("seven", |a: D, b: D, c: D, d: D, e: D, f: D, g: D| a * b + c * d + e * f - g)
            .unwrap();
        engine
            .register("eight", |a: D, b: D, c: D, d: D, e: D, f: D, g: D, h: D| a - b + c - d + e - f + g / h)
            .unwrap();
        let text = "zero(); one(1); two(5, 3); three(12, 0, 10); four(1, 2, 3, 4); five(1, 2, 3, 4, 5);
            six(1, 2, 3, 4, 5, 7); seven(1, 2, 3, 4, 5, 6, 7); eight(1, 2, 3, 4, 5, 6, 7, 8);";
        let values = [0.5, 2.0, 2.0, 10.0, 30.0, 39.0, -4.0, 37.0, -2.125];
        check(&engine, text, &values, &[]);
        // Called from compiled code, and after an `extern`.
        check(
            &engine,
            "extern two(a b); def all(x) var s = 0 in (for i = 1, i < 3 in
                s = s + zero() + one(x) + two(x, i) + three(x, 0, 1) + eight(x, 2, 3, 4, 5, 6, 7, i)) + s;
            all(1); all(1);",
            &[2.0 * 0.5 + 2.0 * 2.0 - 4.0 + 7.0, 2.0 * 0.5 + 2.0 * 2.0 - 4.0 + 7.0].map(|_| {
                let iteration =
                    |i: f64| 0.5 + 2.0 + (1.0 - i) + 1.0 + (1.0 - 2.0 + 3.0 - 4.0 + 5.0 - 6.0 + 7.0 / i);
                iteration(1.0) + iteration(2.0) + iteration(3.0)
            }),
            &[],
        );
        assert_eq!(engine.function::<()>("zero").unwrap().call(()).unwrap(), 0.5);
        assert_eq!(engine.function::<(D, D)>("two").unwrap().call((1.0, 3.0)).unwrap(), -2.0);
    }
}

#[test]
fn a_slice_has_as_many_arguments_as_registered() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        for arity in [0, 1, 8, 9, 10, 33] {
            let digits = move |args: &[f64]| {
                assert_eq!(args.len(), arity as usize);
                args.iter().fold(0.0, |sum, arg| sum * 2.0 + arg)
            };
            engine.register_slice(&format!("f{arity}"), arity, digits).unwrap();
            let args: Vec<_> = (0..arity).map(|n| (n % 2).to_string()).collect();
            let expected = (0..arity).fold(0.0, |sum, n| sum * 2.0 + f64::from(n % 2));
            let call = format!("f{arity}({})", args.join(", "));
            check(
                &engine,
                &format!("{call}; def g() {call}; g(); g() - {call};"),
                &[expected, expected, 0.0],
                &[],
            );
        }
        engine.register_slice("most", 10_000, |args: &[f64]| args.iter().sum::<f64>()).unwrap();
        check(&engine, &format!("most({}7);", "1,".repeat(9_999)), &[10_006.0], &[]);
        let error = engine.register_slice("more", 10_001, |_: &[f64]| 0.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooManyParameters);
        assert_eq!(error.to_string(), "`more` has 10001 parameters; the maximum is 10000");
        check(&engine, "more(1);", &[], &["KLS2002"]);
    }
}

#[test]
fn names_are_checked() {
    let engine = engine(Mode::Off);
    for name in ["", "def", "in", "1f", "_f", "a b", "f$impl", "unary!", "f\0", "é"] {
        let error = engine.register(name, || 0.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{name:?}");
        let error = Engine::builder().register(name, || 0.0).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{name:?}");
    }
    for name in ["f", "F_1", "define", "x2_"] {
        engine.register(name, || 7.0).unwrap();
        check(&engine, &format!("{name}();"), &[7.0], &[]);
    }
}

#[test]
fn the_builder_registers_as_the_engine_does() {
    for &mode in Mode::ALL {
        let builder = Engine::builder().mode(mode).register("half", |x: f64| x / 2.0);
        let engine = builder.register_slice("first", 2, |args: &[f64]| args[0]).build().unwrap();
        check(&engine, "half(4); first(1, 2); first(1);", &[2.0, 1.0], &["KLS2004"]);
    }
}

#[derive(Debug, PartialEq)]
struct OutOfPaper {
    n_sheets: u32,
}

impl fmt::Display for OutOfPaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sheets are too many", self.n_sheets)
    }
}

impl Error for OutOfPaper {}

fn print(n: f64) -> Result<f64, OutOfPaper> {
    if n < 3.0 { Ok(n) } else { Err(OutOfPaper { n_sheets: n as u32 }) }
}

#[test]
fn an_error_ends_the_evaluation_and_reaches_the_caller() {
    for &mode in Mode::ALL {
        let engine = Engine::builder().mode(mode).stack_bytes(1 << 20).build().unwrap();
        engine.register("print", print).unwrap();
        engine.register("text", |_: f64| Err::<f64, _>("no text")).unwrap();
        let text = "print(2); print(3); def f(n) for i = 0, i < n in print(i) + print(0); f(2); f(7); f(1); text(1); 9;";
        check(&engine, text, &[2.0, 0.0, 0.0, 9.0], &["KLS3007", "KLS3007", "KLS3007"]);
        let outcome = engine.run("print(4); text(0);");
        let messages: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert_eq!(messages, ["`print` failed: 4 sheets are too many", "`text` failed: no text"], "{mode:?}");

        let f = engine.function::<(f64,)>("f").unwrap();
        let error = f.call((5.0,)).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::HostError);
        // The text does not repeat the source.
        assert_eq!(error.to_string(), "`print` failed in `f` (text:1)");
        assert_eq!(format!("{error:#}"), "`print` failed in `f` (text:1): 3 sheets are too many");
        let source = error.source().unwrap().downcast_ref::<OutOfPaper>().unwrap();
        assert_eq!(*source, OutOfPaper { n_sheets: 3 });
        assert_eq!(error, f.call((5.0,)).unwrap_err());
        // Other errors have no source, and the next call succeeds.
        check(&engine, "def deep(x) deep(x) + 1;", &[], &[]);
        assert!(engine.function::<(f64,)>("deep").unwrap().call((1.0,)).unwrap_err().source().is_none());
        assert_eq!(f.call((2.0,)).unwrap(), 0.0);
    }
}

#[test]
fn a_panic_ends_the_evaluation_and_has_a_message() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.register("odd", |x: f64| if x > 0.0 { panic!("{x} is odd") } else { x }).unwrap();
        check(&engine, "def f(x) odd(x) + 1; odd(1); f(1); f(0); f(3); f(0);", &[1.0, 1.0], &["KLS3008"; 3]);
        let error = engine.function::<(f64,)>("f").unwrap().call((5.0,)).unwrap_err();
        assert_eq!(
            (error.code(), error.to_string()),
            (DiagnosticCode::HostPanic, "`odd` panicked in `f` (text:1): 5 is odd".to_owned())
        );
    }
}

#[test]
fn the_next_call_runs_the_last_registration() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let (first, closure) = owning(1.0);
        engine.register("f", closure).unwrap();
        check(&engine, "def g(x) f(x) * 2; f(1); g(1); g(1);", &[2.0, 4.0, 4.0], &[]);
        let handle = engine.function::<(f64,)>("f").unwrap();
        assert!(first.upgrade().is_some());
        let (second, closure) = owning(10.0);
        engine.register("f", closure).unwrap();
        assert!(first.upgrade().is_none(), "no call is inside: {mode:?}");
        check(&engine, "f(1); g(1);", &[11.0, 22.0], &[]);
        assert_eq!(handle.call((5.0,)).unwrap(), 15.0);

        // A different number of parameters, as with `def`.
        engine.register("f", |x: f64, y: f64| x * y).unwrap();
        assert!(second.upgrade().is_none(), "{mode:?}");
        check(&engine, "f(2, 3); f(2); g(1);", &[6.0], &["KLS2004", "KLS3002"]);
        assert_eq!(handle.call((5.0,)).unwrap_err().code(), DiagnosticCode::StaleArity);
        engine.register("f", |x: f64| x).unwrap();
        check(&engine, "g(4); f(2, 3); f(6);", &[8.0, 6.0], &["KLS2004"]);
        assert_eq!(handle.call((5.0,)).unwrap(), 5.0);
    }
}

#[test]
fn a_removed_closure_is_dropped() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let (kept, closure) = owning(1.0);
        engine.register("f", closure).unwrap();
        check(&engine, "def g(x) f(x); g(1); g(1);", &[2.0, 2.0], &[]);
        engine.remove("f").unwrap();
        assert!(kept.upgrade().is_none(), "{mode:?}");
        check(&engine, "g(1); f(1);", &[], &["KLS3001", "KLS2002"]);
        engine.register("f", |x: f64| x).unwrap();
        check(&engine, "g(1); f(1);", &[1.0, 1.0], &[]);
    }
}

#[test]
fn dropping_the_engine_drops_its_closures() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let kept: Vec<_> = (0..40)
            .map(|n| {
                let (kept, closure) = owning(f64::from(n));
                engine.register(&format!("f{n}"), closure).unwrap();
                kept
            })
            .collect();
        check(&engine, "def g(x) f0(x) + f39(x); g(1); g(1); def f0(x) x; g(1);", &[41.0, 41.0, 41.0], &[]);
        assert!(kept.iter().all(|kept| kept.upgrade().is_some()));
        drop(engine);
        assert!(kept.iter().all(|kept| kept.upgrade().is_none()));
    }
}

/// A closure that is replaced while it runs exists until its last call has returned.
#[test]
fn a_closure_may_replace_itself() {
    for &mode in Mode::ALL {
        let built = engine(mode);
        let engine = Arc::new(OnceLock::<Engine>::new());
        let owned = Arc::new(Owned(5.0));
        let is_there = Arc::downgrade(&owned);
        let (inner, seen) = (Arc::clone(&engine), is_there.clone());
        let replace = move |x: f64| {
            inner.get().unwrap().register("f", |x: f64| x).unwrap();
            assert!(seen.upgrade().is_some());
            x + owned.0
        };
        built.register("f", replace).unwrap();
        engine.set(built.clone()).unwrap();
        check(&built, "def g(x) f(x) + f(x); g(1); g(1);", &[7.0, 2.0], &[]);
        assert!(is_there.upgrade().is_none(), "{mode:?}");
    }
}

#[test]
fn a_definition_shadows_and_a_registration_replaces_it() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.register("f", |x: f64| x + 1.0).unwrap();
        check(&engine, "def g(x) f(x); g(1); g(1); def f(x) x + 2; f(1); g(1);", &[2.0, 2.0, 3.0, 3.0], &[]);
        engine.register("f", |x: f64| x + 3.0).unwrap();
        check(&engine, "f(1); g(1); g(1);", &[4.0, 4.0, 4.0], &[]);
        check(&engine, "def f(x y) x + y; f(1, 4); g(1);", &[5.0], &["KLS3002"]);
        engine.register("f", |x: f64| x + 5.0).unwrap();
        check(&engine, "f(1); g(1); f(1, 4);", &[6.0, 6.0], &["KLS2004"]);
    }
}

/// A maths function that is compiled to an instruction, and a built-in host function.
#[test]
fn provided_functions_can_be_replaced() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(&engine, "def f(x) sqrt(x) + fabs(x); f(4); f(4);", &[6.0, 6.0], &[]);
        engine.register("sqrt", |x: f64| x * 100.0).unwrap();
        check(&engine, "f(4); sqrt(1); f(4);", &[404.0, 100.0, 404.0], &[]);
        let written = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&written);
        engine
            .register("printd", move |x: f64| {
                writer.lock().unwrap().push(x);
                7.0
            })
            .unwrap();
        check(&engine, "printd(3); def p(x) printd(x); p(4);", &[7.0, 7.0], &[]);
        assert_eq!(*written.lock().unwrap(), [3.0, 4.0]);
    }
}

#[test]
fn a_registration_provides_a_name_declared_or_called_before() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        check(
            &engine,
            "extern f(x); def g(x) f(x) + h(x); g(1); f(1);",
            &[],
            &["KLS2003", "KLS3003", "KLS3003"],
        );
        engine.register("f", |x: f64| x).unwrap();
        engine.register("h", |x: f64| x * 10.0).unwrap();
        check(&engine, "g(2); g(3); extern f(x); extern f(x y);", &[22.0, 33.0], &["KLS2009"]);
    }
}

#[test]
fn registered_functions_do_not_count_towards_the_limit() {
    for &mode in Mode::ALL {
        let engine = Engine::builder().mode(mode).max_functions(2).build().unwrap();
        for n in 0..5 {
            engine.register(&format!("f{n}"), move || f64::from(n)).unwrap();
        }
        check(&engine, "def a() f1(); def b() f2(); def c() f3(); a() + b();", &[3.0], &["KLS4006"]);
        // A registration takes over a name that a program has used, and the name no longer counts.
        engine.register("a", || 7.0).unwrap();
        check(&engine, "def c() f3(); a() + c(); def d() 1;", &[10.0], &["KLS4006"]);
        // A `def` of a registered name does not count, nor does a registration that replaces a
        // `def`.
        check(&engine, "def f4() 5; def a() f4(); a();", &[5.0], &[]);
        let engine =
            Engine::builder().mode(mode).max_functions(1).register("cos", |x: f64| x).build().unwrap();
        engine.register("cos", |x: f64| x + 1.0).unwrap();
        check(&engine, "cos(1); def cos(x) x; cos(1); def a() 1; def b() 1;", &[2.0, 1.0], &["KLS4006"]);
    }
}

#[test]
fn a_closure_may_call_the_engine() {
    for &mode in Mode::ALL {
        let engine = Engine::builder().mode(mode).stack_bytes(1 << 20).build().unwrap();
        let handle = Arc::new(OnceLock::<Engine>::new());
        handle.set(engine.clone()).unwrap();
        let inner = Arc::clone(&handle);
        let eval = move |n: f64| -> Result<f64, CallError> {
            let engine = inner.get().unwrap();
            engine.run(&format!("def step(x) x + {n};")).ok().unwrap();
            engine.register("offset", move || n * 100.0).unwrap();
            let step = engine.function::<(f64,)>("step").unwrap();
            let run: f64 = engine.run("step(1000) + offset();").values().sum();
            Ok(step.call((n,))? + run)
        };
        engine.register("eval", eval).unwrap();
        // In the interpreter, and in compiled code that is on the stack meanwhile.
        let once = |n: f64| (2.0 * n) + (1000.0 + n) + n * 100.0;
        let text = "eval(1); def f(n) eval(n) + step(n) + (if n < 1 then 0 else f(n - 1)); f(2); f(2);";
        let all = [0.0, 1.0, 2.0].map(|n| once(n) + 2.0 * n).iter().rev().sum();
        let known = "extern step(x);";
        check(&engine, &format!("{known} {text}"), &[once(1.0), all, all], &[]);
        // The host passes on the error of a call inside.
        let inner = Arc::clone(&handle);
        let nested = move |x: f64| inner.get().unwrap().function::<(f64,)>("deep").unwrap().call((x,));
        engine.register("nested", nested).unwrap();
        check(&engine, "def deep(x) deep(x) + 1; def g(x) nested(x); g(1);", &[], &["KLS3007"]);
        let error = engine.function::<(f64,)>("g").unwrap().call((1.0,)).unwrap_err();
        let source = error.source().unwrap().downcast_ref::<CallError>().unwrap();
        assert_eq!(source.code(), DiagnosticCode::StackOverflow);
    }
}

/// Both threads are inside the closure at once: each waits for the other.
#[test]
fn several_threads_run_a_closure_at_once() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let barrier = Barrier::new(2);
        engine
            .register("meet", move |x: f64| {
                barrier.wait();
                x
            })
            .unwrap();
        check(&engine, "def f(x) meet(x) + meet(x + 1);", &[], &[]);
        let threads: Vec<_> = (0..2)
            .map(|n| {
                let engine = engine.clone();
                thread::spawn(move || engine.function::<(f64,)>("f").unwrap().call((f64::from(n),)).unwrap())
            })
            .collect();
        let values: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(values, [1.0, 3.0]);
    }
}

/// A factor that becomes NaN when it is dropped.
struct Counted(Arc<AtomicU64>, f64);

impl Counted {
    fn times(&self, x: f64) -> f64 {
        self.1 * x
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
        self.1 = f64::NAN;
    }
}

/// Each call runs one of the closures to its end, while another thread replaces them.
#[test]
fn a_closure_can_be_replaced_during_calls() {
    for mode in [Mode::Baseline, Mode::Off] {
        let engine = engine(mode);
        let n_alive = Arc::new(AtomicU64::new(0));
        let register = |value: f64| {
            n_alive.fetch_add(1, Ordering::SeqCst);
            let counted = Counted(Arc::clone(&n_alive), value);
            engine.register("f", move |x: f64| counted.times(x)).unwrap();
        };
        register(1.0);
        check(&engine, "def g(n) var s = 0 in (for i = 1, i < n in s = s + f(1) * 0 + 1) + s;", &[], &[]);
        thread::scope(|scope| {
            let callers: Vec<_> = (0..2)
                .map(|_| {
                    let g = engine.function::<(f64,)>("g").unwrap();
                    scope.spawn(move || (0..20).map(|_| g.call((200.0,)).unwrap()).sum::<f64>())
                })
                .collect();
            for n in 0..500 {
                register(f64::from(n));
            }
            for caller in callers {
                assert_eq!(caller.join().unwrap(), 4000.0, "a NaN would be seen");
            }
        });
        assert_eq!(n_alive.load(Ordering::SeqCst), 1);
    }
}

/// An interrupter that a closure uses stops the evaluation that called it.
#[test]
fn a_closure_may_stop_its_evaluation() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let interrupter = engine.interrupter();
        engine
            .register("stop", move || {
                interrupter.interrupt();
                1.0
            })
            .unwrap();
        check(&engine, "def f(x) stop() + (for i = 0, 1 in x); def g(x) stop() + x;", &[], &[]);
        check(&engine, "f(1); stop(); g(1); g(1); 2;", &[2.0], &["KLS3005"; 4]);
    }
}

#[test]
fn provided_functions_keep_their_output() {
    let output = OutputBuffer::default();
    let engine = Engine::builder().output(output.clone()).register("f", |x: f64| x).build().unwrap();
    check(&engine, "printd(f(1)); putchard(65);", &[0.0, 0.0], &[]);
    assert_eq!(output.take(), "1\nA");
}

#[cfg(feature = "llvm")]
mod tier_up {
    use super::*;
    use crate::until;
    use kaleidoscope::{Statistics, Thresholds};

    /// Calls the function until it is optimized, and once more.
    fn call_until_optimized(engine: &Engine, statistics: &Statistics, name: &str, expected: f64) {
        let f = engine.function::<(f64,)>(name).unwrap();
        let call = || assert_eq!(f.call((3.0,)).unwrap(), expected);
        until(|| statistics.totals().optimized.contains(name), call);
        assert_eq!(f.call((3.0,)).unwrap(), expected);
    }

    #[test]
    fn optimized_code_calls_closures_and_is_invalidated_by_registrations() {
        let statistics = Statistics::new();
        // Loops do not tier up: whether the loop of `f` has code of its own would depend on the
        // time that compiling `f` takes, and OSR code would be one more invalidation.
        let thresholds = Thresholds { calls: 5, back_edges: u32::MAX, delay: std::time::Duration::ZERO };
        let builder = Engine::builder().thresholds(thresholds).compile_threads(1);
        let engine = builder.observer(statistics.clone()).build().unwrap();
        engine.register("h", |x: f64| x * 2.0).unwrap();
        // Under stress, code is invalidated at random as well.
        let was_invalidated =
            |times: u64| cfg!(feature = "stress") || statistics.totals().n_invalidated == times;
        let text = "def g(x) h(x) + 1;
            def f(n) var s = 0 in (for i = 1, i < n in s = s + g(i) + sqrt(4)) + s;";
        check(&engine, text, &[], &[]);
        call_until_optimized(&engine, &statistics, "f", 12.0 + 3.0 + 6.0);
        // Code calls the closure through the slot of its name, so nothing is invalidated.
        engine.register("h", |x: f64| x * 3.0).unwrap();
        check(&engine, "f(3);", &[18.0 + 3.0 + 6.0], &[]);
        assert!(was_invalidated(0));
        // Code that inlined a definition or used an instruction is invalidated.
        engine.register("g", |x: f64| x).unwrap();
        check(&engine, "f(3);", &[6.0 + 6.0], &[]);
        assert!(was_invalidated(1));
        engine.register("sqrt", |_: f64| 1.0).unwrap();
        check(&engine, "f(3); f(3);", &[6.0 + 3.0, 6.0 + 3.0], &[]);
        engine.register("h", |_: f64| Err::<f64, _>("too late")).unwrap();
        check(&engine, "def g(x) h(x); f(3);", &[], &["KLS3007"]);
    }
}
