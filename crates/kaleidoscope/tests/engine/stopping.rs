//! Stack overflow, time limits and interrupts: the engine works afterwards.

use crate::check;
use kaleidoscope::{DiagnosticCode, Engine, Mode, Output, OutputBuffer};
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

fn small(mode: Mode) -> Engine {
    Engine::builder().mode(mode).stack_bytes(1 << 20).output(OutputBuffer::default()).build().unwrap()
}

#[test]
fn overflows_end_the_evaluation_only() {
    for mode in Mode::ALL {
        let engine = small(*mode);
        engine.run(
            "def f(x) f(x + 1) + 1; def g(x) h(x) + sin(x); def h(x) g(x) * 2; def p(x) p(x) + printd(x);",
        ).ok().unwrap();
        for _ in 0..20 {
            check(&engine, "f(1); g(1); p(1); 9;", &[9.0], &["KLS3004", "KLS3004", "KLS3004"]);
        }
        let outcome = engine.run("f(1);");
        assert!(
            outcome.diagnostics().any(|diagnostic| diagnostic.message.contains("in `f`")),
            "{:?}",
            outcome.items
        );
    }
}

#[test]
fn overflows_on_many_threads() {
    let engine = small(Mode::Lazy);
    engine.run("def f(x) f(x + 1) + 1;").ok().unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| check(&engine, "f(1); 2; f(1);", &[2.0], &["KLS3004", "KLS3004"]));
        }
    });
}

/// A first call near the end of the guest stack: the compiler runs on the host stack.
#[test]
fn the_compiler_does_not_run_on_the_guest_stack() {
    let engine = small(Mode::Lazy);
    let functions: String = (0..400).map(|n| format!("def f{n}(x) f{}(x) + 1;", n + 1)).collect();
    // Each level of `deep` is the first call of another function.
    let chain: String = (0..400).map(|n| format!("if x < {n} then f{n}(x) else ")).collect();
    engine.run(&functions).ok().unwrap();
    engine.run("def f400(x) 0;").ok().unwrap();
    engine.run(&format!("def deep(x) deep(x + 1) + (0 * x) + ({chain} 0);")).ok().unwrap();
    check(&engine, "deep(0); 1;", &[1.0], &["KLS3004"]);
}

#[test]
fn the_time_limit_holds_for_each_item() {
    for mode in Mode::ALL {
        // Long enough for `1;` beside busy processes.
        let engine = Engine::builder().mode(*mode).time_limit(Duration::from_millis(200)).build().unwrap();
        let text = "def f(x) f(x + 1); for i = 0, 1 in 0; 1; f(0); 2; for i = 0, 1 in sin(i); 3;";
        check(&engine, text, &[1.0, 2.0, 3.0], &["KLS3006", "KLS3006", "KLS3006"]);
    }
}

/// Reports that the program has begun, in a channel with room for one message.
struct Announcing(mpsc::SyncSender<()>);

impl Output for Announcing {
    fn write(&self, _: &str) -> io::Result<()> {
        // The message may be in the channel already.
        let _ = self.0.try_send(());
        Ok(())
    }
}

#[test]
fn an_interrupt_stops_the_running_evaluation_only() {
    for mode in Mode::ALL {
        let (sender, begun) = mpsc::sync_channel(1);
        let engine = Engine::builder().mode(*mode).output(Announcing(sender)).build().unwrap();
        let interrupter = engine.interrupter();
        let running = thread::spawn({
            let engine = engine.clone();
            move || engine.run("def f(x) printd(x) + (for i = 0, 1 in 0); f(1); 7;")
        });
        begun.recv().unwrap();
        interrupter.interrupt();
        let outcome = running.join().unwrap();
        assert!(
            outcome.diagnostics().any(|diagnostic| diagnostic.code == DiagnosticCode::Interrupted),
            "{:?}",
            outcome.items
        );
        assert_eq!(outcome.values().collect::<Vec<_>>(), [7.0], "the next item runs");
        // Nothing runs, so nothing is stopped.
        interrupter.interrupt();
        check(&engine, "def g(x) x + 1; g(1);", &[2.0], &[]);
    }
}

/// The program is nearly always inside host or maths functions, where it cannot be stopped. It
/// stops when they return.
#[test]
fn loops_of_maths_and_of_output_are_stopped() {
    const LOOPS: &str = "def maths(x) printd(x) + (for i = 0, 1 in x = sin(x + i));
        def output(x) for i = 0, 1 in putchard(46);";
    for mode in Mode::ALL {
        for call in ["maths(1);", "output(1);"] {
            let builder = Engine::builder().mode(*mode).output(OutputBuffer::default());
            let engine = builder.build().unwrap();
            check(&engine, LOOPS, &[], &[]);
            check(&engine.within(Duration::from_millis(30)), call, &[], &["KLS3006"]);

            let (sender, begun) = mpsc::sync_channel(1);
            let engine = Engine::builder().mode(*mode).output(Announcing(sender)).build().unwrap();
            check(&engine, LOOPS, &[], &[]);
            let interrupter = engine.interrupter();
            thread::scope(|scope| {
                scope.spawn(move || {
                    begun.recv().unwrap();
                    interrupter.interrupt();
                });
                check(&engine, call, &[], &["KLS3005"]);
            });
        }
    }
}
