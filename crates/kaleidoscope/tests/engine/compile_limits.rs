//! Limits while code is compiled: the call ends, and the compilation goes on in the background.

use crate::gated_backend::Gate;
use crate::{PATIENCE, until};
use kaleidoscope::{Builder, CallError, DiagnosticCode, Engine, Mode, Statistics};
use std::thread;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(10);

/// The engine comes first, so that it is dropped last: its end waits for the compile threads.
fn gated(mode: Mode) -> (Engine, Gate) {
    gated_with(Engine::builder().mode(mode))
}

/// With one compile thread, compilations begin one after the other, in the order of the requests.
fn gated_one_thread() -> (Engine, Gate) {
    gated_with(Engine::builder().mode(Mode::Lazy).compile_threads(1))
}

fn gated_with(builder: Builder) -> (Engine, Gate) {
    let gate = Gate::default();
    let engine = builder.backend(gate.clone()).build().unwrap();
    (engine, gate)
}

/// Calls a function and interrupts the call once its compilation has begun. The compilation waits
/// at the gate. A time limit could end the call before its compilation begins.
#[track_caller]
fn abandon(engine: &Engine, gate: &Gate, name: &str) {
    // The limit ends the call if the compilation does not begin.
    let function = engine.function::<(f64,)>(name).unwrap().within(PATIENCE);
    let n_before = gate.n_begun();
    thread::scope(|scope| {
        let call = scope.spawn(move || function.call((1.0,)));
        until(|| gate.n_begun() > n_before, thread::yield_now);
        engine.interrupter().interrupt();
        expect(call.join().unwrap(), DiagnosticCode::Interrupted);
    });
}

#[track_caller]
fn expect(result: Result<f64, CallError>, code: DiagnosticCode) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
}

#[test]
fn a_call_does_not_wait_for_a_compiler_beyond_its_time() {
    for mode in [Mode::Lazy, Mode::Eager] {
        let (engine, gate) = gated(mode);
        let outcome = engine.within(SHORT).run("def f(x) x + 1; f(1);");
        let codes: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code).collect();
        // An expression is compiled, too. In eager mode, so is the definition.
        let n_late = if mode == Mode::Eager { 2 } else { 1 };
        assert_eq!(codes, vec![DiagnosticCode::TimedOut; n_late], "{mode:?}: {:?}", outcome.items);

        let f = engine.function::<(f64,)>("f").unwrap();
        for _ in 0..3 {
            expect(f.within(SHORT).call((1.0,)), DiagnosticCode::TimedOut);
        }
        // All threads that wait for the same code have their own limits.
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| expect(f.within(SHORT).call((1.0,)), DiagnosticCode::TimedOut));
            }
        });
        assert_eq!(f.within(SHORT).prepare().unwrap_err().code(), DiagnosticCode::TimedOut);
        assert_eq!(gate.n_compiled(), 0);
        gate.open();
        // Once, whether or not one of the abandoned compilations had begun.
        assert_eq!(f.call((1.0,)).unwrap(), 2.0);
        assert_eq!(gate.n_compiled(), 1, "{mode:?}");
    }
}

#[test]
fn an_interrupt_ends_the_wait_for_a_compiler() {
    for mode in [Mode::Lazy, Mode::Eager] {
        let (engine, gate) = gated(mode);
        drop(engine.within(SHORT).run("def f(x) x + 1;"));
        let f = engine.function::<(f64,)>("f").unwrap();
        let interrupter = engine.interrupter();
        thread::scope(|scope| {
            let calls: Vec<_> = (0..3).map(|_| scope.spawn(|| f.call((1.0,)))).collect();
            until(
                || calls.iter().all(thread::ScopedJoinHandle::is_finished),
                || {
                    interrupter.interrupt();
                    thread::yield_now();
                },
            );
            for call in calls {
                // It may have been interrupted before it reached the function.
                let error = call.join().unwrap().unwrap_err();
                assert_eq!(error.code(), DiagnosticCode::Interrupted, "{error}");
            }
        });
        gate.open();
        assert_eq!(f.call((1.0,)).unwrap(), 2.0);
        assert_eq!(gate.n_compiled(), 1, "{mode:?}");
    }
}

/// The limit belongs to the outer evaluation; the call that waits has none.
#[test]
fn limits_around_a_call_end_its_wait_for_a_compiler() {
    for outer_mode in [Mode::Off, Mode::Baseline] {
        let (engine, gate) = gated(Mode::Lazy);
        engine.run("def f(x) x + 1;").ok().unwrap();
        let f = engine.function::<(f64,)>("f").unwrap();
        let outer = Engine::builder().mode(outer_mode).build().unwrap();
        outer
            .register("again", move |x: f64| {
                expect(f.call((x,)), DiagnosticCode::TimedOut);
                0.0
            })
            .unwrap();
        let outcome = outer.within(SHORT).run("again(1);");
        let codes: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [DiagnosticCode::TimedOut], "{outer_mode:?}: {:?}", outcome.items);
        gate.open();
    }
}

#[test]
fn a_batch_does_not_wait_for_its_kernel_beyond_its_time() {
    let (engine, gate) = gated(Mode::Lazy);
    // With a loop it does not run by columns.
    engine.run("def f(x) (for i = 0, i < 0 in 0) + x + 1;").ok().unwrap();
    let f = engine.function::<(f64,)>("f").unwrap();
    let column = vec![1.0; 10_000];
    let mut out = vec![0.0; 10_000];
    let late = f.within(SHORT).map(&[&column], &mut out);
    assert_eq!(late.unwrap_err().code(), DiagnosticCode::TimedOut);
    gate.open();
    f.map(&[&column], &mut out).unwrap();
    assert!(out.iter().all(|&value| value == 2.0));
}

#[test]
fn an_abandoned_compilation_installs_its_code() {
    let (engine, gate) = gated(Mode::Lazy);
    engine.run("def f(x) x + 1;").ok().unwrap();
    abandon(&engine, &gate, "f");
    gate.open();
    let f = engine.function::<(f64,)>("f").unwrap();
    assert_eq!(f.call((1.0,)).unwrap(), 2.0);
    assert_eq!(gate.n_begun(), 1, "the call waited for the abandoned compilation");
}

#[test]
fn a_first_batch_does_not_wait_for_the_optimizing_compiler() {
    for mode in [Mode::Lazy, Mode::Eager, Mode::Tiered] {
        let statistics = Statistics::new();
        let (engine, gate) = gated_with(Engine::builder().mode(mode).observer(statistics.clone()));
        // In eager mode a definition waits.
        drop(engine.within(SHORT).run("def f(x) x + 1;"));
        let f = engine.function::<(f64,)>("f").unwrap();
        let column = vec![1.0; 200_000];
        let mut out = vec![0.0; column.len()];
        f.map(&[&column], &mut out).unwrap();
        assert!(out.iter().all(|&value| value == 2.0), "{mode:?}");
        let totals = statistics.totals();
        assert_eq!((totals.rows.by_columns, gate.n_compiled()), (column.len(), 0), "{mode:?}");
        gate.open();
    }
}

/// What was redefined during an abandoned compilation is not installed.
#[test]
fn an_abandoned_compilation_of_an_old_version_is_dropped() {
    let (engine, gate) = gated_one_thread();
    engine.run("def f(x) x + 1; def g(x) x + 1;").ok().unwrap();
    abandon(&engine, &gate, "f");
    engine.run("def f(x) 1 + x;").ok().unwrap();
    gate.open();
    // The only compile thread has ended the abandoned compilation before it compiles `g`.
    for name in ["g", "f"] {
        assert_eq!(engine.function::<(f64,)>(name).unwrap().call((1.0,)).unwrap(), 2.0);
    }
    assert_eq!(gate.n_compiled(), 3, "f, g, and the new f");
}

/// What no call waits for any more is not compiled, if that has not begun: calls under short limits
/// do not hold up later ones.
#[test]
fn an_abandoned_compilation_that_has_not_begun_is_dropped() {
    let (engine, gate) = gated_one_thread();
    engine.run("def f(x) x + 1; def g(x) x + 1; def h(x) x + 1;").ok().unwrap();
    let function = |name| engine.function::<(f64,)>(name).unwrap();
    let late = |name| expect(function(name).within(SHORT).call((1.0,)), DiagnosticCode::TimedOut);
    // The only compile thread waits at the gate.
    abandon(&engine, &gate, "f");
    for _ in 0..3 {
        late("g");
        assert!(engine.within(SHORT).run("g(1);").diagnostics().next().is_some(), "it is late");
    }
    gate.open();
    assert_eq!(function("h").call((1.0,)).unwrap(), 2.0);
    assert_eq!(gate.n_compiled(), 2, "f and h");
    assert_eq!(function("g").call((1.0,)).unwrap(), 2.0);
    assert_eq!(gate.n_begun(), 3, "nothing else was compiled");
}

/// An engine may end while a compilation that no thread waits for is running.
#[test]
fn an_engine_ends_with_abandoned_compilations() {
    let (engine, gate) = gated(Mode::Lazy);
    engine.run("def f(x) x + 1;").ok().unwrap();
    abandon(&engine, &gate, "f");
    gate.open();
    drop(engine);
}
