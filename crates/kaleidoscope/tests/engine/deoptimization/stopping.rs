//! Activations that end early after they were deoptimized: with the right error, and the engine
//! goes on.

use super::{Case, Change, Fail, Host, Interrupt, Nothing, Run};
use crate::{check, until};
use kaleidoscope::{DiagnosticCode, Mode};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

#[test]
fn a_host_error_ends_deoptimized_code() {
    let case = Case {
        text: "def v(x) x; def g(x) change() + v(x); def f(x) 1 + 2 * (g(x) + g(x) + g(x));",
        call: "f(1);",
        hot: &["f"],
        changes: &[Run("def v(x) 2;"), Fail],
    };
    assert_eq!(case.check(), "KLS3007");
    let case = Case {
        text: "def v(x) x; def deep(n) if n < 1 then change() else deep(n - 1) + v(1) + change();",
        call: "deep(100);",
        hot: &["deep"],
        changes: &[Run("def v(x) 3;"), Nothing, Nothing, Fail],
    };
    assert_eq!(case.check(), "KLS3007");
}

#[test]
fn an_interrupt_ends_deoptimized_code() {
    let text = "def v(x) x; def g(x) change() + v(x); def f(x) 1 + 2 * (g(x) + g(x) + g(x));";
    for changes in
        [&[Run("def v(x) 2;"), Interrupt][..], &[Run("def v(x) 2; def g(x) change() * 2;"), Interrupt]]
    {
        let case = Case { text, call: "f(1);", hot: &["f"], changes };
        assert_eq!(case.check(), "KLS3005");
    }
    let case = Case {
        text: "def v(x) x; def f(n) var s = 0 in (for i = 0, i < n in s = s + v(i) + change()) + s;",
        call: "f(100);",
        hot: &["f"],
        changes: &[Nothing, Run("def v(x) 3;"), Nothing, Interrupt],
    };
    assert_eq!(case.check(), "KLS3005");
}

#[test]
fn a_stack_overflow_ends_deoptimized_code() {
    let case = Case {
        text: "def v(x) x; def f(x) 1 + change() + v(x) * 2;",
        call: "f(1);",
        hot: &["f"],
        changes: &[Run("def v(x) v(x + 1) + 1;")],
    };
    assert_eq!(case.check(), "KLS3004");
    // Begun from the deepest of many deoptimized activations.
    let case = Case {
        text: "def v(x) x; def deep(n) if n < 1 then change() + v(0) else deep(n - 1) + v(1);",
        call: "deep(2000);",
        hot: &["deep"],
        changes: &[Run("def v(x) v(x + 1) + 1;")],
    };
    assert_eq!(case.check(), "KLS3004");
}

/// The program changes itself, and then runs forever.
const ENDLESS: &str = "def binary: 1 (a b) b; def v(x) x;
    def f(n) var s = 0 in change() : (for i = 0, i < n in s = s + v(i));
    def g(n) if n < 2 then change() + g(n * v(1)) else if n < 3 then 0 else g(n + v(0));
    def h(n) var s = 0 in (for i = 0, i < n in change() : (for j = 0, j < n in s = s + v(i)));";
const FOREVER: &str = "def v(x) for i = 0, 1 in x;";

/// Runs an expression until its time is up. One of the changes makes it endless. The limit may end
/// before that change is complete; then a longer one is tried.
#[track_caller]
fn expect_timed_out(mode: Mode, definitions: &str, call: &str, hot: &str, changes: &[Change]) -> Host {
    let mut limit = Duration::from_millis(100);
    loop {
        let host = Host::new(mode, |builder| builder);
        host.define(definitions);
        host.tier_up(call, &[hot]);
        *host.changes.lock().unwrap() = changes.to_vec();
        let outcome = host.engine.within(limit).run(call);
        let codes: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [DiagnosticCode::TimedOut], "{mode:?}: {call}");
        host.changes.lock().unwrap().clear();
        if host.n_changed.load(Ordering::SeqCst) == 1 {
            return host;
        }
        limit *= 2;
        assert!(limit < crate::PATIENCE, "{mode:?}: {call}: the change is not complete in time");
    }
}

#[test]
fn deoptimized_code_is_stopped_at_its_deadline() {
    for &mode in Mode::ALL {
        for (call, hot) in [("f(30);", "f"), ("h(3);", "h")] {
            let host = expect_timed_out(mode, ENDLESS, call, hot, &[Run(FOREVER)]);
            check(&host.engine, "def v(x) x; change() + 1;", &[1.0], &[]);
        }
    }
}

const ENDLESS_LOOP: &str = "def v(x) x; def loop(n) for i = 0, v(i) < n in change();";

/// The endless loop itself is deoptimized.
#[test]
fn an_endless_loop_that_was_deoptimized_is_stopped_at_its_deadline() {
    for &mode in Mode::ALL {
        let host = expect_timed_out(mode, ENDLESS_LOOP, "loop(10);", "loop", &[Nothing, Run("def v(x) 0;")]);
        check(&host.engine, "def v(x) x; loop(10) + 1;", &[1.0], &[]);
    }
}

#[test]
fn an_endless_loop_that_was_deoptimized_is_interrupted() {
    for &mode in Mode::ALL {
        let host = Host::new(mode, |builder| builder);
        host.define(ENDLESS_LOOP);
        host.tier_up("loop(10);", &["loop"]);
        host.changes.lock().unwrap().extend([Nothing, Run("def v(x) 0;")]);
        let endless = host.engine.function::<(f64,)>("loop").unwrap();
        let running = thread::spawn(move || endless.call((10.0,)));
        // An interrupt would end the change, too.
        until(|| host.n_changed.load(Ordering::SeqCst) == 1, thread::yield_now);
        let interrupter = host.engine.interrupter();
        until(
            || running.is_finished(),
            || {
                interrupter.interrupt();
                thread::yield_now();
            },
        );
        let error = running.join().unwrap().unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::Interrupted, "{mode:?}");
        check(&host.engine, "def v(x) x; loop(10) + 1;", &[1.0], &[]);
    }
}

/// Endless tail calls go on in code of their version.
#[test]
fn endless_tail_calls_that_were_deoptimized_are_stopped() {
    for &mode in Mode::ALL {
        for change in ["def v(x) 0;", "def v(x) 0; def count(n) 5;"] {
            let definitions = "def v(x) 1; def count(n) if n < 1 then n else count(n - v(n) + change());";
            let host = expect_timed_out(mode, definitions, "count(30);", "count", &[Nothing, Run(change)]);
            check(&host.engine, "2;", &[2.0], &[]);
        }
    }
}

/// The loop calls nothing that waits: it was left because another thread redefined something, and
/// goes on forever in the interpreter, or in new code.
#[test]
#[cfg(feature = "llvm")]
fn an_endless_loop_that_another_thread_changed_is_stopped() {
    for mode in [Mode::Tiered, Mode::Lazy, Mode::Eager] {
        for (body, change) in [
            ("for i = 0, sqrt(1) < 2 in 0", "def sqrt(x) 0;"),
            ("for i = 0, sqrt(1) < 2 in i = i + sin(i)", "def sin(x) 0; def sqrt(x) sin(x);"),
            ("for i = 0, sqrt(1) < 2 in for j = 0, j < 10 in v(j) + cos(j)", "def v(x) 0; def cos(x) v(x);"),
            ("if sqrt(n) < 1 then 0 else f(n + 1)", "def sqrt(x) 2;"),
            ("if sqrt(n) < 1 then 0 else f(n + 1)", "def f(n) 3; def sqrt(x) 2;"),
        ] {
            // Only where it is known that the old `f` runs.
            if change.contains("def f(") && mode != Mode::Tiered {
                continue;
            }
            for waits in [false, true] {
                let host = Host::new(mode, |builder| builder);
                host.define(&format!("def v(x) x; def f(n) {body};"));
                let endless = host.engine.function::<(f64,)>("f").unwrap();
                let running = thread::spawn(move || endless.call((1.0,)));
                if mode == Mode::Tiered {
                    until(|| host.log.has_optimized_other_than("v"), thread::yield_now);
                } else {
                    // The loop is likely to run by then; the test holds if it does not.
                    thread::park_timeout(Duration::from_millis(20));
                }
                host.define(change);
                if waits && mode == Mode::Tiered && body.contains("for") {
                    until(|| host.log.has_osr("#0"), thread::yield_now);
                }
                let interrupter = host.engine.interrupter();
                let interrupt = || {
                    interrupter.interrupt();
                    thread::yield_now();
                };
                until(|| running.is_finished(), interrupt);
                let error = running.join().unwrap().unwrap_err();
                assert_eq!(error.code(), DiagnosticCode::Interrupted, "{mode:?}: {body}");
                check(&host.engine, "v(1) * 0 + 7;", &[7.0], &[]);
            }
        }
    }
}
