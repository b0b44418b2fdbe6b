//! Untrusted programs: limits for time, stack and memory, after which the host continues.
//!
//! Run by `cargo run -p kaleidoscope --example deadline`.

use kaleidoscope::{DiagnosticCode, Engine, OutputBuffer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::builder()
        .provide_only(["sin", "cos", "sqrt", "exp", "log"])
        .output(OutputBuffer::default())
        .stack_bytes(16 << 20)
        .max_functions(1_000)
        .max_code_bytes(8 << 20)
        .max_item_bytes(64 << 10)
        .build()?;
    engine
        .run(
            "def forever(x) for i = 0, 1 in sin(i);
         def deep(x) 1 + deep(x + 1);
         def fine(x) sqrt(x);",
        )
        .ok()?;
    let [forever, deep, fine] = ["forever", "deep", "fine"].map(|name| engine.function::<(f64,)>(name));
    let (forever, deep, fine) = (forever?, deep?, fine?);

    // A time limit for one call. The loop contains no check: a signal ends the call.
    let error = forever.within(Duration::from_millis(50)).call((1.0,)).expect_err("a limit ends the call");
    println!("{}: {error}", error.code());
    assert_eq!(error.code(), DiagnosticCode::TimedOut);

    // Endless recursion.
    let error = deep.call((1.0,)).expect_err("a limit ends the call");
    println!("{}: {error}", error.code());
    assert_eq!(error.code(), DiagnosticCode::StackOverflow);

    // An interrupt from another thread.
    let interrupter = engine.interrupter();
    let is_done = AtomicBool::new(false);
    let error = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                interrupter.interrupt();
                thread::yield_now();
            }
        });
        let error = forever.call((1.0,)).expect_err("a limit ends the call");
        is_done.store(true, Ordering::Relaxed);
        error
    });
    println!("{}: {error}", error.code());
    assert_eq!(error.code(), DiagnosticCode::Interrupted);

    // A function that the engine does not provide.
    let outcome = engine.run("putchard(65);");
    assert_eq!(
        outcome.diagnostics().next().map(|diagnostic| diagnostic.code),
        Some(DiagnosticCode::UnknownFunction)
    );

    // The engine still works.
    assert_eq!(fine.call((9.0,))?, 3.0);
    Ok(())
}
