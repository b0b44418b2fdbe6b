//! Forked processes: in the child, an engine of the parent returns errors and can be dropped, and
//! an engine of the child works.
#![allow(unsafe_code)]

use crate::{check, until};
use kaleidoscope::{
    CallError, DiagnosticCode, Engine, ErrorKind, Interrupter, MapOptions, Mode, Thresholds, Variable,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The environment variable that makes a test run in a process of its own.
const OWN_PROCESS: &str = "KALEIDOSCOPE_TEST_FORKS";

/// Runs the body in a process that runs nothing else.
fn in_own_process(test: &str, body: impl FnOnce()) {
    if std::env::var_os(OWN_PROCESS).is_some() {
        return body();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(OWN_PROCESS, "1");
    let status = test_process::Process::start(&mut command).wait();
    assert!(status.success(), "{test}: {status}");
}

/// Forks, runs the body in the child, and expects it to succeed.
fn in_child(body: impl FnOnce()) {
    // SAFETY: the child runs what is tested, and exits.
    let process = unsafe { libc::fork() };
    if process == 0 {
        end_child(body);
    }
    wait_for(process);
}

/// Runs the body of a child, which hangs for a minute at most.
fn end_child(body: impl FnOnce()) -> ! {
    // SAFETY: requests SIGALRM, whose default action ends the process.
    unsafe { libc::alarm(60) };
    let outcome = catch_unwind(AssertUnwindSafe(body));
    // SAFETY: ends the child.
    unsafe { libc::_exit(i32::from(outcome.is_err())) }
}

fn wait_for(process: libc::pid_t) {
    assert!(process > 0, "the process can be forked");
    let mut status = -1;
    // SAFETY: waits for the child.
    assert_eq!(unsafe { libc::waitpid(process, &raw mut status, 0) }, process);
    assert_eq!(status, 0, "the child failed");
}

#[track_caller]
fn expect_refused<T: std::fmt::Debug>(result: Result<T, CallError>) {
    assert_eq!(result.unwrap_err().code(), DiagnosticCode::CannotEvaluate);
}

/// An engine of the child computes, in every mode, and keeps its time limits.
fn use_new_engines() {
    for mode in Mode::ALL {
        let thresholds = Thresholds { calls: 20, back_edges: 100, delay: Duration::ZERO };
        let engine = Engine::builder().mode(*mode).thresholds(thresholds).build().unwrap();
        check(&engine, "def f(x) sin(x) * 0 + x * 2; for i = 0, i < 1000 in f(i); f(4);", &[0.0, 8.0], &[]);
        let mut out = vec![0.0; 100_000];
        let column: Vec<f64> = (0..out.len()).map(|row| row as f64).collect();
        engine.function::<(f64,)>("f").unwrap().map(&[&column], &mut out).unwrap();
        assert_eq!(out[77_777], 155_554.0);
        let endless = engine.within(Duration::from_millis(20)).run("for i = 0, 1 in 0;");
        assert_eq!(endless.diagnostics().next().unwrap().code, DiagnosticCode::TimedOut);
    }
}

#[test]
fn a_child_refuses_engines_of_the_parent_and_makes_its_own() {
    in_own_process("process_fork::a_child_refuses_engines_of_the_parent_and_makes_its_own", || {
        for mode in Mode::ALL {
            let thresholds = Thresholds { calls: 20, back_edges: 100, delay: Duration::ZERO };
            let engine = Engine::builder().mode(*mode).thresholds(thresholds).build().unwrap();
            let used =
                "def fib(n) if n < 3 then 1 else fib(n - 1) + fib(n - 2); fib(20); for i = 0, i < 1000 in i;";
            check(&engine, used, &[6765.0, 0.0], &[]);
            let fib = engine.function::<(f64,)>("fib").unwrap();
            let formula = engine.formula("sin(x) + 1", &["x"]).unwrap();
            let column: Vec<f64> = (0..100_000).map(f64::from).collect();
            let mut out = vec![0.0; column.len()];
            formula.map(&[&column], &mut out).unwrap();
            assert!(engine.within(Duration::from_secs(60)).run("1;").values().eq([1.0]));
            let (engine, mut handles) = (engine, Some((fib, formula)));
            in_child(|| {
                let (fib, formula) = handles.take().unwrap();
                let refused = engine.run("def g(x) x; g(1); 2;");
                let codes: Vec<_> = refused.diagnostics().map(|diagnostic| diagnostic.code).collect();
                assert_eq!(codes, [DiagnosticCode::CannotEvaluate]);
                expect_refused(fib.call((5.0,)));
                expect_refused(fib.within(Duration::from_secs(1)).call((5.0,)));
                expect_refused(fib.prepare());
                expect_refused(engine.enter(|scope| scope.call(&fib, (5.0,))));
                expect_refused(formula.call(&[1.0]));
                expect_refused(formula.map_with(MapOptions::new(), &[&column], &mut out));
                let error = engine.formula("1", &[]).unwrap_err();
                assert_eq!(error.diagnostics()[0].code, DiagnosticCode::CannotEvaluate);
                let is_refused = |error: kaleidoscope::Error| error.kind() == ErrorKind::CannotEvaluate;
                assert!(is_refused(engine.function::<(f64,)>("fib").unwrap_err()));
                assert!(is_refused(engine.register("h", |x: f64| x).unwrap_err()));
                assert!(is_refused(engine.bind("v", &Variable::new(1.0)).unwrap_err()));
                assert!(is_refused(engine.remove("fib").unwrap_err()));
                assert!(is_refused(engine.fork().unwrap_err()));
                Interrupter::interrupt(&engine.interrupter());
                use_new_engines();
                drop((fib, formula, engine.clone()));
                use_new_engines();
            });
            // The parent goes on.
            let (fib, formula) = handles.take().unwrap();
            assert_eq!(fib.call((20.0,)).unwrap(), 6765.0);
            assert_eq!(formula.call(&[0.0]).unwrap(), 1.0);
            check(&engine, "def fib(n) n; fib(7);", &[7.0], &[]);
        }
    });
}

#[test]
fn a_child_may_be_forked_while_other_threads_compile_and_redefine() {
    in_own_process("process_fork::a_child_may_be_forked_while_other_threads_compile_and_redefine", || {
        for mode in Mode::ALL {
            let thresholds = Thresholds { calls: 20, back_edges: 100, delay: Duration::ZERO };
            let engine = Engine::builder().mode(*mode).thresholds(thresholds).build().unwrap();
            let ends = Arc::new(AtomicBool::new(false));
            let busy = || {
                let (engine, ends) = (engine.clone(), Arc::clone(&ends));
                thread::spawn(move || {
                    let mut n = 0;
                    while !ends.load(Ordering::Relaxed) {
                        n += 1;
                        engine
                            .run(&format!("def f(x) x * {n} + sin(x); for i = 0, i < 200 in f(i);"))
                            .ok()
                            .unwrap();
                        drop(engine.formula("a * 2", &["a"]));
                    }
                })
            };
            let threads = [busy(), busy()];
            until(|| engine.function_info("f").is_some(), thread::yield_now);
            for _ in 0..8 {
                let mut in_child_only = Some(engine.clone());
                in_child(|| {
                    let engine = in_child_only.take().unwrap();
                    assert_eq!(
                        engine.run("f(1);").diagnostics().next().unwrap().code,
                        DiagnosticCode::CannotEvaluate
                    );
                    drop(engine);
                    let own = Engine::builder().mode(*mode).build().unwrap();
                    check(&own, "def f(x) x * 2; for i = 0, i < 200 in f(i); f(4);", &[0.0, 8.0], &[]);
                });
            }
            ends.store(true, Ordering::Relaxed);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    });
}

#[test]
fn an_evaluation_that_forks_ends_in_the_child() {
    in_own_process("process_fork::an_evaluation_that_forks_ends_in_the_child", || {
        for mode in Mode::ALL {
            let engine = Engine::builder().mode(*mode).build().unwrap();
            let parent = std::process::id();
            let forks = move || {
                // SAFETY: the child runs what is tested, and exits.
                let process = unsafe { libc::fork() };
                if std::process::id() == parent {
                    wait_for(process);
                }
                1.0
            };
            engine.register("split", forks).unwrap();
            let text = "def once(x) x + 1; def f(x) once(x) + split() + once(x) + sin(x) * 0 + (for i = 0, i < 3 in i); f(1);";
            let outcome = engine.run(text);
            if std::process::id() == parent {
                assert!(outcome.values().eq([5.0]), "{mode:?}: {:?}", outcome.items);
                check(&engine, "once(2);", &[3.0], &[]);
            } else {
                end_child(|| {
                    let codes: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code).collect();
                    assert_eq!(codes, [DiagnosticCode::CannotEvaluate], "{mode:?}");
                    drop(engine);
                    use_new_engines();
                });
            }
        }
    });
}
