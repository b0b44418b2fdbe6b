//! Redefinitions inside recursion: an activation goes on in its own version, and each call begins
//! the newest one.

#[cfg(feature = "llvm")]
use super::Host;
use super::{Case, Change, Nothing, Run};
use kaleidoscope::Mode;
#[cfg(feature = "llvm")]
use kaleidoscope::{Event, Observer};
#[cfg(feature = "llvm")]
use std::sync::Arc;
#[cfg(feature = "llvm")]
use std::sync::atomic::{AtomicUsize, Ordering};

/// Nothing so often, then a change.
fn after(n_calls: usize, change: Change) -> Vec<Change> {
    let mut changes = vec![Nothing; n_calls];
    changes.push(change);
    changes
}

/// At whichever inlined level the function is replaced.
#[test]
fn recursion_that_was_inlined_calls_the_new_definition() {
    for n_calls in [0, 1, 2, 3, 4, 5, 7, 11, 30, 31, 32, 80] {
        let case = Case {
            text: "def fib(n) if n < 2 then n + change() else fib(n - 1) + fib(n - 2); def f(n) fib(n);",
            call: "f(11);",
            hot: &["fib"],
            changes: &after(n_calls, Run("def fib(n) n * 1000;")),
        };
        case.check();
        let case = Case {
            text: "def fib(n) change() + (if n < 2 then n else fib(n - 1) + fib(n - 2));",
            call: "fib(9);",
            hot: &["fib"],
            changes: &after(n_calls, Run("def fib(n) if n < 2 then 100 else fib(n - 1) - fib(n - 2) / 3;")),
        };
        case.check();
    }
}

#[test]
fn an_inlinee_is_replaced_inside_recursion() {
    for n_calls in [0, 1, 5, 20] {
        let case = Case {
            text: "def v(x) x; def fib(n) if n < 2 then v(n) + change() else fib(n - 1) + v(n) + fib(n - 2);",
            call: "fib(10);",
            hot: &["fib"],
            changes: &after(n_calls, Run("def v(x) x * 3;")),
        };
        case.check();
    }
}

#[test]
fn mutual_recursion_calls_the_new_definitions() {
    for n_calls in [0, 1, 2, 3] {
        for change in ["def odd(n) n * 7;", "def even(n) n * 9;", "def v() 5;"] {
            let case = Case {
                text: "extern odd(n); def v() 1;
                    def even(n) if n < 1 then 1 else odd(n - 1) + change() + v();
                    def odd(n) change() + v() + (if n < 1 then 2 else even(n - 1) * 1.5);",
                call: "even(10);",
                hot: &["even"],
                changes: &after(n_calls, Run(change)),
            };
            case.check();
        }
    }
}

/// A self tail call stays in its version.
#[test]
fn tail_calls_stay_in_their_version() {
    for n_calls in [0, 1, 3] {
        let case = Case {
            text: "def v(x) x + 1; def count(n s) if n < 1 then s else count(n - 1, v(s) + change());",
            call: "count(20, 0);",
            hot: &["count"],
            changes: &after(n_calls, Run("def v(x) x + 100;")),
        };
        case.expect((n_calls + 1 + 100 * (19 - n_calls)) as f64);
        // The function itself and its inlinee are replaced.
        let case = Case { changes: &after(n_calls, Run("def count(n s) 0 - 1; def v(x) x + 1000;")), ..case };
        case.check();
        let case = Case { changes: &after(n_calls, Run("def count(n s) 0 - 1;")), ..case };
        let run = case.run(Mode::Off);
        assert_eq!(run.results[1], "20.0", "the activation goes on in its own version");
        for mode in Mode::ALL {
            assert_eq!(case.run(*mode).results, run.results, "{mode:?}");
        }
    }
}

/// Enough tail calls for the interpreter to leave for code of the activation's version.
#[test]
fn many_tail_calls_of_a_superseded_version_run_as_code() {
    for change in ["def v(x) x + 2;", "def v(x) x + 2; def count(n s) 0 - 1;"] {
        let case = Case {
            text:
                "def v(x) x + 1;
                def count(n s) if n < 1 then s else count(n - 1, v(s) + (if n < 20000 then 0 else change()));",
            call: "count(20010, 0);",
            hot: &["count"],
            changes: &[Nothing, Run(change)],
        };
        case.check();
    }
}

/// The tail calls go on in a version that was superseded, and its new code is changed again.
#[test]
fn tail_calls_of_a_superseded_version_are_changed_again() {
    let case = Case {
        text: "def v(x) x + 1; def count(n s) if n < 1 then s else count(n - 1, v(s) + change());",
        call: "count(3000, 0);",
        hot: &["count"],
        changes: &{
            let mut changes = after(2, Run("def v(x) x + 2; def count(n s) 0 - 1;"));
            changes.extend(after(1500, Run("def v(x) x + 3;")));
            changes.extend(after(500, Run("def v(x) x + 4; def count(n s) 0 - 2;")));
            changes
        },
    };
    case.check();
}

/// Each of thousands of optimized activations is left when its callee returns.
#[test]
fn thousands_of_activations_are_left_on_return() {
    let case = Case {
        text: "def v(x) x; def deep(n) if n < 1 then change() else deep(n - 1) + v(1);",
        call: "deep(5000);",
        hot: &["deep"],
        changes: &[Run("def v(x) 3;")],
    };
    case.expect(15_000.0);
    let run = case.run(Mode::Tiered);
    assert!(!cfg!(feature = "llvm") || run.left.len() > 1000, "{} times", run.left.len());
}

/// A function that calls itself in tail position is left whenever it was optimized. It goes on in
/// code each time, in place of the code that was left.
#[test]
#[cfg(feature = "llvm")]
fn a_tail_call_that_is_left_again_and_again_is_optimized_again() {
    const N_CHANGES: usize = 60;
    // Where everything is hot, each tail call in baseline code looks for optimized code.
    const CALLS_TO_ENTER: usize = 2;
    let host = Host::new(Mode::Tiered, |builder| builder);
    let (log, changes) = (host.log.clone(), Arc::clone(&host.changes));
    let (n_changes, n_optimized) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let again = move || {
        let is_last = n_changes.load(Ordering::SeqCst) == N_CHANGES;
        if !is_last
            && log.has_optimized(&["count"])
            && n_optimized.fetch_add(1, Ordering::SeqCst) + 1 == CALLS_TO_ENTER
        {
            n_optimized.store(0, Ordering::SeqCst);
            n_changes.fetch_add(1, Ordering::SeqCst);
            changes.lock().unwrap().push(Run("def zero() 0;"));
        }
        f64::from(u8::from(!is_last))
    };
    host.engine.register("again", again).unwrap();
    host.define("def zero() 0; def count(n) if again() + change() + zero() then count(n + zero()) else n;");
    let count = host.engine.function::<(f64,)>("count").unwrap().within(crate::PATIENCE);
    assert_eq!(count.call((7.0,)).unwrap(), 7.0);
    assert_eq!(host.log.left(), vec!["count"; N_CHANGES]);
}

/// Counts how often `count` was hot.
#[derive(Clone, Default)]
#[cfg(feature = "llvm")]
struct HotCounts(Arc<AtomicUsize>);

#[cfg(feature = "llvm")]
impl Observer for HotCounts {
    fn observe(&self, event: &Event) {
        let is_hot = matches!(event, Event::Hot { code, .. } if &*code.name == "count");
        self.0.fetch_add(usize::from(is_hot), Ordering::SeqCst);
    }
}

/// No call reaches a version that was superseded, so its tail calls do not make it hot: code of the
/// function would be requested again and again, and never exist.
#[test]
#[cfg(feature = "llvm")]
fn tail_calls_of_a_superseded_version_request_no_code() {
    let hot = HotCounts::default();
    let host = Host::new(Mode::Tiered, |builder| builder.observer(hot.clone()));
    host.define("def v(x) x + 1; def count(n s) if n < 1 then s else count(n - 1, v(s) + change());");
    host.tier_up("count(30, 0);", &["count"]);
    let n_hot = hot.0.load(Ordering::SeqCst);
    assert!(n_hot > 0, "it was optimized");
    host.changes.lock().unwrap().push(Run("def v(x) x + 2; def count(n s) 0 - 1;"));
    assert_eq!(host.result("count(1000, 0);"), "1999.0");
    assert_eq!(host.log.left(), ["count"]);
    assert_eq!(hot.0.load(Ordering::SeqCst), n_hot);
}

/// A version that was superseded goes on in code of its own. Code of LLVM has maths functions
/// inside, so each definition of one makes the engine leave it again. Each time nests a completion
/// in the one before, up to a limit: then the interpreter goes on.
#[test]
fn a_superseded_tail_call_that_is_left_again_and_again_does_not_use_up_the_stack() {
    const MOST_NESTED: usize = 16;
    const MATHS: [&str; 24] = [
        "sin", "cos", "tan", "atan", "sinh", "cosh", "tanh", "exp", "log", "log10", "log2", "sqrt", "cbrt",
        "floor", "ceil", "round", "trunc", "fabs", "asinh", "exp2", "expm1", "log1p", "rint", "erf",
    ];
    let calls = MATHS.map(|name| format!("{name}(n)")).join(" + ");
    let text = format!("def count(n s) if n < 1 then s else count(n - 1, s + change() + {calls});");
    let changes = MATHS.map(|name| format!("def {name}(x) 1000;").leak() as &str);
    let mut changes = changes.map(Run);
    changes[0] = Run("def sin(x) 1000; def count(n s) 0 - 1;");
    let case = Case { text: &text, call: "count(30, 0);", hot: &["count"], changes: &changes };
    case.check();
    for &mode in Mode::ALL {
        let n_left = match mode {
            Mode::Lazy | Mode::Eager if cfg!(feature = "llvm") => 1 + MOST_NESTED,
            // It goes on in baseline code, which is never left.
            Mode::Tiered if cfg!(feature = "llvm") => 1,
            _ => 0,
        };
        assert_eq!(case.run(mode).left, vec!["count"; n_left], "{mode:?}");
    }
}
