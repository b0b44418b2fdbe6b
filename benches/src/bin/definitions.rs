//! How much does a function cost that is defined and never called?
//!
//! Defines 20,000 different functions in one engine in lazy mode. Prints the time and memory per
//! function. The text has been freed by then; its length is printed for comparison.

use kaleidoscope::{Engine, Statistics};
use kaleidoscope_benches::memory::resident_bytes;
use kaleidoscope_benches::record;
use std::time::Instant;

const N_DEFINITIONS: usize = 20_000;

fn main() {
    let statistics = Statistics::new();
    let engine = Engine::builder().observer(statistics.clone()).build().expect("an engine can be made");
    // The one-time setup of the first definitions does not count.
    engine
        .run(&(0..1_000).map(|n| definition("warm", n)).collect::<String>())
        .ok()
        .expect("the text is correct");
    let text: String = (0..N_DEFINITIONS).map(|n| definition("f", n)).collect();

    let before = resident_bytes();
    let start = Instant::now();
    let mut script = engine.script("definitions");
    script.push(&text);
    script.finish();
    let mut n_items = 0;
    while let Some(outcome) = script.run_next() {
        assert!(outcome.diagnostics.is_empty(), "{:?}", outcome.diagnostics);
        n_items += 1;
    }
    let took = start.elapsed();
    drop(script);
    let held = resident_bytes().saturating_sub(before);
    assert_eq!(n_items, N_DEFINITIONS);
    assert!(statistics.totals().compiled.is_empty(), "defining compiles nothing");

    let micros = took.as_secs_f64() * 1e6 / N_DEFINITIONS as f64;
    let bytes = held as f64 / N_DEFINITIONS as f64;
    let text_bytes = text.len() as f64 / N_DEFINITIONS as f64;
    println!("{N_DEFINITIONS} definitions of {text_bytes:.0} bytes of text, none called, nothing compiled:");
    println!("  {micros:.2} µs and {bytes:.0} bytes of memory for each");
    record::add(
        "definitions",
        "micros,bytes,text_bytes",
        &[format!("{micros:.2},{bytes:.0},{text_bytes:.0}")],
    );
}

fn definition(prefix: &str, n: usize) -> String {
    format!(
        "def {prefix}{n}(x y) if x < y then x * {n} + y else (x - y) * {prefix}{}(x, y + 1);\n",
        n.max(1) - 1
    )
}
