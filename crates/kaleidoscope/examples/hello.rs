//! The first program: runs a text, shows values and diagnostics, calls a function.
//!
//! Run by `cargo run -p kaleidoscope --example hello`.

use kaleidoscope::{Color, Engine, render};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::new()?;
    engine.prelude()?;

    let outcome = engine.run(
        "def fib(n) if n < 3 then 1 else fib(n - 1) + fib(n - 2);
         fib(20);
         -2^2;
         fibo(1);",
    );
    let values: Vec<f64> = outcome.values().collect();
    println!("{values:?}");
    assert_eq!(values, [6765.0, -4.0]);

    // `fibo` is undefined. A diagnostic is data; `render` is one way to show it.
    for diagnostic in outcome.diagnostics() {
        print!("{}", render(diagnostic, &outcome.source, Color::Never));
    }
    assert_eq!(outcome.diagnostics().count(), 1);

    // A handle has typed arguments, may be shared by threads, and stays valid after redefinitions.
    let fib = engine.function::<(f64,)>("fib")?;
    println!("fib(30) = {}", fib.call((30.0,))?);
    assert_eq!(fib.call((30.0,))?, 832_040.0);
    Ok(())
}
