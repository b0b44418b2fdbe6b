//! Redefinitions inside recursion: an activation goes on in its own version, and each call begins
//! the newest one.

#[cfg(feature = "llvm")]
use super::Host;
use super::{Case, Change, Nothing, Run};
#[cfg(feature = "llvm")]
use kaleidoscope::{Event, Mode, Observer, Tier};
#[cfg(feature = "llvm")]
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(feature = "llvm")]
use std::sync::{Arc, Mutex};

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
        let run = case.run(kaleidoscope::Mode::Off);
        assert_eq!(run.results[1], "20.0", "the activation goes on in its own version");
        for mode in kaleidoscope::Mode::ALL {
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
    let run = case.run(kaleidoscope::Mode::Tiered);
    assert!(!cfg!(feature = "llvm") || run.left.len() > 1000, "{} times", run.left.len());
}

/// Counts how often code of `count` was optimized.
#[cfg(feature = "llvm")]
struct TierUps(AtomicUsize);

#[cfg(feature = "llvm")]
impl Observer for TierUps {
    fn observe(&self, event: &Event) {
        if let Event::Compiled { code, tier: Tier::Optimized, .. } = event
            && &*code.name == "count"
        {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A function that calls itself in tail position is left whenever it was optimized. It goes on in
/// code each time, in place of the code that was left.
#[test]
#[cfg(feature = "llvm")]
fn a_tail_call_that_is_left_again_and_again_is_optimized_again() {
    const N_CHANGES: usize = 60;
    assert_eq!(leave_again_and_again(N_CHANGES, "def zero() 0;"), N_CHANGES);
}

/// A version that was superseded goes on in code of its own. Each time nests a completion in the
/// one before, up to a limit.
#[test]
#[cfg(feature = "llvm")]
fn a_superseded_tail_call_that_is_left_again_and_again_does_not_use_up_the_stack() {
    leave_again_and_again(3_000, "def zero() 0; def count(n) 100;");
}

/// Runs a function that calls itself in tail position. Makes the change whenever it was optimized,
/// up to this number of times. Ends when it is not optimized again. Returns the number of changes.
#[cfg(feature = "llvm")]
fn leave_again_and_again(most_changes: usize, change: &'static str) -> usize {
    const CALLS_WITHOUT_CHANGE: usize = 200_000;
    let tier_ups = Arc::new(TierUps(AtomicUsize::new(0)));
    let host = Host::new(Mode::Tiered, |builder| builder.observer(Arc::clone(&tier_ups)));
    let engine = Arc::new(Mutex::new(Some(host.engine.clone())));
    let changed = Arc::clone(&engine);
    let n_changes = Arc::new(AtomicUsize::new(0));
    let (n_tier_ups_before, n_calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let again = {
        let n_changes = Arc::clone(&n_changes);
        move || -> f64 {
            let n_tier_ups = tier_ups.0.load(Ordering::SeqCst);
            let n = n_changes.load(Ordering::SeqCst);
            if n_tier_ups > n_tier_ups_before.load(Ordering::SeqCst) && n < most_changes {
                n_tier_ups_before.store(n_tier_ups, Ordering::SeqCst);
                n_changes.store(n + 1, Ordering::SeqCst);
                n_calls.store(0, Ordering::SeqCst);
                let engine = changed.lock().unwrap().clone().unwrap();
                assert!(engine.run(change).diagnostics().next().is_none());
            }
            let n_calls = n_calls.fetch_add(1, Ordering::SeqCst);
            f64::from(u8::from(n < most_changes && n_calls < CALLS_WITHOUT_CHANGE))
        }
    };
    host.engine.register("again", again).unwrap();
    host.define("def zero() 0; def count(n) if again() + zero() then count(n + zero()) else n;");
    let count = host.engine.function::<(f64,)>("count").unwrap().within(crate::PATIENCE);
    assert_eq!(count.call((7.0,)).unwrap(), 7.0);
    *engine.lock().unwrap() = None;
    n_changes.load(Ordering::SeqCst)
}
