//! Functions that are too large for a compiler: another one takes them, and at last the
//! interpreter.

use crate::{engine, until};
use kaleidoscope::{DiagnosticCode, Engine, Mode, Variable};
use std::thread;
use std::time::Duration;

/// The modes with code.
const COMPILED: [Mode; 4] = [Mode::Tiered, Mode::Lazy, Mode::Eager, Mode::Baseline];

/// Loops in loops, more than the baseline compiler takes, and more than there is time for in LLVM.
/// Each runs once.
fn nested_loops(n: usize, body: &str) -> String {
    let mut text = String::new();
    for nth in 0..n {
        text.push_str(&format!("for i{nth} = 0, 0 in "));
    }
    text + body
}

const N_LOOPS: usize = 9_000;

/// An engine with `huge`, which calls `g(x)` inside its loops, and its value is that of `h(x)`.
fn engine_with_huge(mode: Mode) -> Engine {
    let engine = engine(mode);
    let loops = nested_loops(N_LOOPS, "g(x)");
    engine.bind("n", &Variable::new(0.0)).unwrap();
    let definitions = format!("def g(x) n = n + x; def h(x) x + 0.5; def huge(x) ({loops}) + h(x);");
    check(&engine, &definitions, &[], &[]);
    engine
}

/// As `crate::check`, with no text of a huge program in the message.
#[track_caller]
fn check(engine: &Engine, text: &str, values: &[f64], codes: &[&str]) {
    let outcome = engine.run(text);
    let found: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code.as_str()).collect();
    let mode = engine.mode();
    assert_eq!((outcome.values().collect::<Vec<_>>(), found), (values.to_vec(), codes.to_vec()), "{mode:?}");
}

#[test]
fn the_interpreter_takes_what_no_compiler_takes() {
    for &mode in Mode::ALL {
        let engine = engine_with_huge(mode);
        // The first call, later calls, calls by compiled code, and calls from Rust.
        check(&engine, "huge(1); huge(2); n;", &[1.5, 2.5, 3.0], &[]);
        check(&engine, "def twice(x) huge(x) + huge(x); for i = 0, i < 3 in twice(1); n;", &[0.0, 11.0], &[]);
        let huge = engine.function::<(f64,)>("huge").unwrap();
        huge.prepare().unwrap();
        assert_eq!(huge.call((3.0,)).unwrap(), 3.5);
        let mut out = [0.0; 3];
        huge.map(&[&[1.0, 2.0, 3.0]], &mut out).unwrap();
        assert_eq!(out, [1.5, 2.5, 3.5], "{mode:?}");
        // What it calls is redefined, and so is the function itself, back and forth.
        check(&engine, "def h(x) 0 - x; huge(1);", &[-1.0], &[]);
        check(&engine, "def huge(x) x * 2; huge(4); twice(4);", &[8.0, 16.0], &[]);
        let loops = nested_loops(N_LOOPS, "x");
        for _ in 0..3 {
            check(&engine, &format!("def huge(x) ({loops}) + x; huge(4); twice(4);"), &[4.0, 8.0], &[]);
        }
    }
}

#[test]
fn the_interpreter_takes_expressions_that_no_compiler_takes() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let expression = format!("({}) + 7;", nested_loops(N_LOOPS, "sin(1)"));
        check(&engine, &format!("{expression} 2; {expression}"), &[7.0, 2.0, 7.0], &[]);
    }
}

#[test]
fn huge_functions_end_as_others_do() {
    for &mode in Mode::ALL {
        let engine = engine(mode);
        let loops = nested_loops(N_LOOPS, "x");
        let definitions = format!(
            "def down(x) if x < 1 then 0 else down(x - 1) + 1 + 0 * ({loops});
             def forever(x) (for i = 0, 1 in x) + ({loops});
             def calls(x) undefined(x) + ({loops});"
        );
        check(&engine, &definitions, &[], &["KLS2003"]);
        check(&engine, "down(300);", &[300.0], &[]);
        check(&engine, "down(1e9); calls(1);", &[], &["KLS3004", "KLS3001"]);
        let late = engine.within(Duration::from_millis(10)).run("forever(1);");
        let codes: Vec<_> = late.diagnostics().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [DiagnosticCode::TimedOut], "{mode:?}");
        let interrupter = engine.interrupter();
        thread::scope(|scope| {
            let running = scope.spawn(|| engine.run("forever(1);"));
            until(
                || running.is_finished(),
                || {
                    interrupter.interrupt();
                    thread::yield_now();
                },
            );
            let codes: Vec<_> =
                running.join().unwrap().diagnostics().map(|diagnostic| diagnostic.code).collect();
            assert_eq!(codes, [DiagnosticCode::Interrupted], "{mode:?}");
        });
    }
}

/// LLVM refuses what would take it too long. Baseline code runs instead.
#[test]
fn the_baseline_compiler_takes_what_the_optimizing_compiler_refuses() {
    for mode in COMPILED {
        let engine = engine(mode);
        let calls = "+g(x)".repeat(20_000);
        let terms = "+x*1.5".repeat(50_000);
        check(
            &engine,
            &format!("def g(x) x + 1; def f(x) 0{calls}; f(1); f(2);"),
            &[40_000.0, 60_000.0],
            &[],
        );
        check(&engine, &format!("def f(x) 0{terms}; f(1); f(2);"), &[75_000.0, 150_000.0], &[]);
    }
}
