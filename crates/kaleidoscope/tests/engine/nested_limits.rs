//! Limits reach whatever runs inside an evaluation: by whichever handle, engine and mode the host
//! evaluates there.

use crate::{PATIENCE, engine, until};
use kaleidoscope::{DiagnosticCode, Engine, Event, Mode, Observer, Outcome, is_stop_pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// How the outer evaluation reaches the host function `again`: by the interpreter, in compiled code
/// of an expression, or in compiled code of a function.
const OUTER: [&str; 3] = ["again(1);", "for i = 0, i < 2 in again(1);", "g(1);"];

const PROGRAM: &str = "def spin(x) for i = 0, 1 in x; def g(x) again(x) + 1;";

/// How the host evaluates inside `again`.
#[derive(Clone, Copy, Debug)]
enum Inner {
    Function,
    Text,
    Scope,
    Map,
}

impl Inner {
    const ALL: [Self; 4] = [Self::Function, Self::Text, Self::Scope, Self::Map];

    /// Evaluates an endless loop. Returns what stopped it.
    fn spin(self, engine: &Engine) -> DiagnosticCode {
        let spin = || engine.function::<(f64,)>("spin").unwrap();
        match self {
            Self::Function => spin().call((1.0,)).unwrap_err().code(),
            Self::Text => engine.run("spin(1);").diagnostics().next().unwrap().code,
            Self::Scope => engine.enter(|scope| scope.call(&spin(), (1.0,))).unwrap_err().code(),
            Self::Map => spin().map(&[&[1.0; 3]], &mut [0.0; 3]).unwrap_err().code(),
        }
    }
}

/// An engine with the host function `again`, which evaluates an endless loop by a handle of
/// `inner`, without a limit or with a longer one. The loop must end with this code.
fn outer_engine(mode: Mode, inner: &Engine, kind: Inner, expected: DiagnosticCode) -> Engine {
    let outer = engine(mode);
    outer.run(PROGRAM).ok().unwrap();
    let inner = inner.clone();
    let again = move |_: f64| {
        assert_eq!(kind.spin(&inner), expected);
        assert!(is_stop_pending());
        assert_eq!(kind.spin(&inner.within(PATIENCE)), expected);
        0.0
    };
    outer.register("again", again).unwrap();
    outer
}

fn expect(outcome: &Outcome, code: DiagnosticCode, what: &str) {
    let found: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(found, [code], "{what}: {:?}", outcome.items);
}

#[test]
fn time_limits_hold_inside_host_functions() {
    for &mode in Mode::ALL {
        for &inner_mode in Mode::ALL {
            let inner = engine(inner_mode);
            inner.run(PROGRAM).ok().unwrap();
            for kind in Inner::ALL {
                let outer = outer_engine(mode, &inner, kind, DiagnosticCode::TimedOut);
                for text in OUTER {
                    let outcome = outer.within(Duration::from_millis(10)).run(text);
                    expect(
                        &outcome,
                        DiagnosticCode::TimedOut,
                        &format!("{mode:?} {inner_mode:?} {kind:?} {text}"),
                    );
                }
                assert!(!is_stop_pending());
            }
        }
    }
}

#[test]
fn interrupts_hold_inside_host_functions() {
    for &mode in Mode::ALL {
        for &inner_mode in Mode::ALL {
            let inner = engine(inner_mode);
            inner.run(PROGRAM).ok().unwrap();
            for text in OUTER {
                let outer = outer_engine(mode, &inner, Inner::Function, DiagnosticCode::Interrupted);
                let interrupter = outer.interrupter();
                thread::scope(|scope| {
                    let running = scope.spawn(|| outer.run(text));
                    until(
                        || running.is_finished(),
                        || {
                            interrupter.interrupt();
                            thread::yield_now();
                        },
                    );
                    let what = format!("{mode:?} {inner_mode:?} {text}");
                    expect(&running.join().unwrap(), DiagnosticCode::Interrupted, &what);
                });
            }
        }
    }
}

/// The same engine, by a clone of its handle: limits belong to handles.
#[test]
fn a_clone_without_a_limit_stops_with_the_evaluation_around_it() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.run("def spin(x) for i = 0, 1 in x; def g(x) again(x) + 1;").ok().unwrap();
        let inner = engine.clone();
        engine
            .register("again", move |x: f64| {
                inner.function::<(f64,)>("spin").unwrap().call((x,)).unwrap_or(-1.0)
            })
            .unwrap();
        for text in OUTER {
            let outcome = engine.within(Duration::from_millis(10)).run(text);
            expect(&outcome, DiagnosticCode::TimedOut, &format!("{mode:?} {text}"));
        }
    }
}

#[test]
fn the_earliest_of_nested_limits_counts() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.run("def spin(x) for i = 0, 1 in x;").ok().unwrap();
        let inner = engine.clone();
        engine
            .register("again", move |_: f64| {
                let error = inner.within(Duration::from_millis(5)).function::<(f64,)>("spin").unwrap();
                assert_eq!(error.call((1.0,)).unwrap_err().code(), DiagnosticCode::TimedOut);
                assert!(!is_stop_pending());
                7.0
            })
            .unwrap();
        let outcome = engine.within(PATIENCE).run("again(1); for i = 0, i < 1 in again(1);");
        assert_eq!(outcome.values().collect::<Vec<_>>(), [7.0, 0.0], "{mode:?}: {:?}", outcome.items);
    }
}

/// An interpreted evaluation inside a scope, and an evaluation beside the scope's own calls.
#[test]
fn the_limits_of_a_scope_hold_for_its_whole_body() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.run("def spin(x) for i = 0, 1 in x;").ok().unwrap();
        for &inner_mode in Mode::ALL {
            let inner = crate::engine(inner_mode);
            inner.run(PROGRAM).ok().unwrap();
            let code =
                engine.within(Duration::from_millis(10)).enter(|_| Ok(Inner::Function.spin(&inner))).unwrap();
            assert_eq!(code, DiagnosticCode::TimedOut, "{mode:?} {inner_mode:?}");
        }
    }
}

/// Evaluates an endless loop at each first call, and when code was compiled. It does so on one
/// thread, because no limit holds on compile threads.
struct Spinning {
    thread: ThreadId,
    engine: Engine,
    is_stopped: Arc<AtomicBool>,
}

impl Observer for Spinning {
    fn observe(&self, event: &Event) {
        let is_inside = thread::current().id() == self.thread;
        if is_inside && matches!(event, Event::FirstCalled { .. } | Event::Compiled { .. }) {
            let code = Inner::Function.spin(&self.engine);
            self.is_stopped.store(code == DiagnosticCode::TimedOut, Ordering::Relaxed);
        }
    }
}

#[test]
fn limits_hold_inside_observers() {
    for &mode in Mode::ALL {
        let inner = engine(Mode::Baseline);
        inner.run(PROGRAM).ok().unwrap();
        let is_stopped = Arc::new(AtomicBool::new(false));
        let thread = thread::current().id();
        let observer = Spinning { thread, engine: inner, is_stopped: Arc::clone(&is_stopped) };
        let engine = Engine::builder().mode(mode).observer(observer).build().unwrap();
        // Beside busy processes, the time may be up before the first call.
        let mut limit = Duration::from_millis(10);
        until(
            || is_stopped.load(Ordering::Relaxed),
            || {
                let outcome = engine.within(limit).run("def f(x) f(x); f(1);");
                assert_eq!(outcome.diagnostics().last().unwrap().code, DiagnosticCode::TimedOut, "{mode:?}");
                limit *= 2;
            },
        );
    }
}

/// A limit ends with its evaluation.
#[test]
fn limits_do_not_outlive_their_evaluation() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        engine.run("def f(x) x + 1;").ok().unwrap();
        let inner = engine.clone();
        engine.register("again", move |x: f64| inner.run("f(1);").values().sum::<f64>() + x).unwrap();
        let late = engine.within(Duration::ZERO).run("again(1);");
        expect(&late, DiagnosticCode::TimedOut, &format!("{mode:?}"));
        let outcome = engine.run("again(1); f(2);");
        assert_eq!(outcome.values().collect::<Vec<_>>(), [3.0, 3.0], "{mode:?}: {:?}", outcome.items);
    }
}

/// A host function that fails because its evaluation is to stop is not why the evaluation ends, for
/// the evaluation inside another one, too.
#[test]
fn a_host_function_that_is_to_stop_may_fail() {
    for &mode in Mode::ALL {
        for &inner_mode in Mode::ALL {
            let inner = engine(inner_mode);
            inner
                .register("wait", |_: f64| -> Result<f64, HostStopped> {
                    until(is_stop_pending, thread::yield_now);
                    Err(HostStopped)
                })
                .unwrap();
            inner.run("extern wait(x); def g(x) wait(x) + 1;").ok().unwrap();
            let outer = engine(mode);
            outer
                .register("again", move |x: f64| {
                    let error = inner.function::<(f64,)>("g").unwrap().call((x,)).unwrap_err();
                    assert_eq!(error.code(), DiagnosticCode::TimedOut);
                    0.0
                })
                .unwrap();
            outer.run("extern again(x);").ok().unwrap();
            for _ in 0..5 {
                let outcome = outer.within(Duration::from_millis(3)).run("again(1);");
                expect(&outcome, DiagnosticCode::TimedOut, &format!("{mode:?} {inner_mode:?}"));
            }
        }
    }
}

/// The error of a host function that is to stop.
#[derive(Debug)]
struct HostStopped;

impl std::fmt::Display for HostStopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the host function is to stop")
    }
}

impl std::error::Error for HostStopped {}
