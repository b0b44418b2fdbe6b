//! Small stacks: the engine works on threads with little stack, or returns an error, and so does a
//! recursion through host functions.

use crate::{check, engine};
use kaleidoscope::{DiagnosticCode, Engine, ErrorKind, Mode, Precision};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// The smallest stack, in KiB, on which everything works. The guide of the crate says so.
const SMALLEST_KIB: usize = 64;

/// Runs the body on a thread with a stack of this size.
fn on_stack<T: Send>(kib: usize, body: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        thread::Builder::new().stack_size(kib << 10).spawn_scoped(scope, body).unwrap().join().unwrap()
    })
}

/// A host function that runs a text, which calls it again.
fn register_again(engine: &Engine, text: impl Fn(usize) -> String + Send + Sync + 'static) {
    let (inner, n_calls) = (engine.clone(), AtomicUsize::new(0));
    let again = move |x: f64| {
        let outcome = inner.run(&text(n_calls.fetch_add(1, Ordering::Relaxed)));
        match outcome.diagnostics().next() {
            Some(diagnostic) => Err(format!("{:?}", diagnostic.code)),
            None => Ok(outcome.values().next().unwrap_or(x)),
        }
    };
    engine.register("again", again).unwrap();
}

#[test]
fn a_recursion_through_texts_ends_in_an_error() {
    for mode in Mode::ALL {
        let engine = engine(*mode);
        register_again(&engine, |_| "again(1);".to_owned());
        check(&engine, "again(1);", &[], &["KLS3007"]);
        check(&engine, "1 + 1;", &[2.0], &[]);
        engine.remove("again").unwrap();
    }
}

/// What a thread does: texts, calls, a scope, a batch, a formula, an overflow, a time limit.
/// Returns the codes of unexpected errors.
fn use_everything(engine: &Engine, name: &str) -> Vec<DiagnosticCode> {
    let mut errors = Vec::new();
    let text = format!(
        "def {name}(x) (for i = 0, i < 9 in x = x * 2) + sin(x) + pow(x, 3);
         def {name}deep(x) {name}deep(x + 1) + 1;
         def binary | 5 (a b) if a then 1 else b;
         {name}(1); 1 | 2; {name}deep(1); {name}(2)"
    );
    let outcome = engine.run(&text);
    errors.extend(outcome.diagnostics().map(|diagnostic| diagnostic.code));
    let mut note = |code: Option<DiagnosticCode>| errors.extend(code);
    if let Ok(function) = engine.function::<(f64,)>(name) {
        note(function.prepare().err().map(|error| error.code()));
        note(function.call((1.0,)).err().map(|error| error.code()));
        let entered = engine.enter(|scope| scope.call(&function, (2.0,)));
        note(entered.err().map(|error| error.code()));
        let mut out = [0.0; 3];
        let mapped = function.map(&[&[1.0, 2.0, 3.0]], &mut out);
        note(mapped.err().map(|error| error.code()));
        let mapped = function.map_with(Precision::Fast, &[&[1.0, 2.0, 3.0]], &mut out);
        note(mapped.err().map(|error| error.code()));
    }
    match engine.formula("sqrt(a * a + b * b)", &["a", "b"]) {
        Ok(formula) => note(formula.call(&[3.0, 4.0]).err().map(|error| error.code())),
        Err(error) => note(error.diagnostics().first().map(|diagnostic| diagnostic.code)),
    }
    let endless = engine.within(Duration::from_millis(1)).run("for i = 0, 1 in 0;");
    errors.extend(endless.diagnostics().map(|diagnostic| diagnostic.code));
    errors
}

#[test]
fn an_engine_works_on_a_small_stack() {
    use DiagnosticCode::{StackOverflow, TimedOut};
    for mode in Mode::ALL {
        let engine = Engine::builder().mode(*mode).stack_bytes(1 << 20).build().unwrap();
        for kib in (16..80).step_by(4).chain([96, 128, 192, 256, 512, 2048]) {
            let errors = on_stack(kib, || use_everything(&engine, &format!("f{kib}")));
            let is_right = match kib {
                SMALLEST_KIB.. => errors == [StackOverflow, TimedOut],
                _ => errors.iter().all(|code| matches!(code, StackOverflow | TimedOut)),
            };
            assert!(is_right, "{mode:?}, {kib} KiB: {errors:?}");
        }
    }
}

#[test]
fn an_engine_is_made_on_a_small_stack_or_refused() {
    for kib in (16..80).step_by(4) {
        match on_stack(kib, || Engine::new().map(drop)) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::CannotEvaluate, "{kib} KiB");
                assert!(kib < SMALLEST_KIB, "{kib} KiB are enough");
            }
        }
    }
}

/// Functions that are large in different ways.
fn large_function(kind: usize, name: &str) -> String {
    let list = |separator: &str, part: &dyn Fn(usize) -> String, n: usize| {
        (0..n).map(part).collect::<Vec<_>>().join(separator)
    };
    let body = match kind % 4 {
        0 => {
            let variables = list(", ", &|i| format!("v{i} = x * {i}.5"), 200);
            format!("var {variables} in {}", list(" + ", &|i| format!("v{i}"), 200))
        }
        1 => format!("{}x{}", "(1 + ".repeat(300), ")".repeat(300)),
        2 => format!("{}0", list("", &|i| format!("if x < {i} then {i} else "), 300)),
        _ => format!("{}0", list("", &|i| format!("for i{i} = 0, i{i} < 0 in "), 50)),
    };
    format!("def {name}(x) (for i = 0, i < 1 in 0) + ({body}); {name}(1);")
}

#[test]
fn large_functions_are_compiled_at_the_bottom_of_a_recursion() {
    for mode in [Mode::Tiered, Mode::Baseline, Mode::Off] {
        for kib in [64, 192, 256] {
            let engine = Engine::builder().mode(mode).stack_bytes(1 << 20).without_backend().build().unwrap();
            register_again(&engine, |n| {
                let name = format!("large{n}");
                format!(
                    "{} def go{n}(x) (for i = 0, i < 2 in 0) + again(x); go{n}(1);",
                    large_function(n, &name)
                )
            });
            on_stack(kib, || {
                let outcome = engine.run("again(1);");
                let codes: Vec<_> = outcome.diagnostics().map(|diagnostic| diagnostic.code).collect();
                assert_eq!(codes, [DiagnosticCode::HostError], "{mode:?}, {kib} KiB");
                check(&engine, "1 + 1;", &[2.0], &[]);
            });
            engine.remove("again").unwrap();
        }
    }
}
