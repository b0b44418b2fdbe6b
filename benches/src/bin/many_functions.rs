//! How many functions can one process hold, each compiled at its own first call?
//!
//! Defines functions one by one and calls each once, in one engine: 50,000 in lazy mode, where
//! LLVM compiles and ORC links, and 100,000 in tiered mode. Prints the time and memory per
//! function and the number of memory mappings. Linux allows 65,530 mappings per process. `--bin
//! many_functions lazy` or `tiered` measures that mode alone.

use kaleidoscope::{Engine, Mode};
use kaleidoscope_benches::memory::{mappings, resident_bytes};
use kaleidoscope_benches::record;
use std::time::Instant;

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    for (name, mode, n_functions) in [("lazy", Mode::Lazy, 50_000), ("tiered", Mode::Tiered, 100_000)] {
        if only.as_ref().is_none_or(|only| only == name) {
            measure(name, mode, n_functions);
        }
    }
}

fn measure(name: &str, mode: Mode, n_functions: u32) {
    let engine = Engine::builder().mode(mode).build().expect("an engine can be made");
    // The one-time setup of the first function does not count.
    assert_eq!(engine.run("def first(x) x + 1; first(1);").values().last(), Some(2.0));
    let (resident_before, mappings_before) = (resident_bytes(), mappings());
    let start = Instant::now();
    for n in 0..n_functions {
        let outcome = engine.run(&format!("def f{n}(x) x + {n}; f{n}(1);"));
        assert_eq!(outcome.values().last(), Some(f64::from(n) + 1.0), "{:?}", outcome.items);
    }
    let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(n_functions);
    let bytes = resident_bytes().saturating_sub(resident_before) / u64::from(n_functions);
    let n_mappings = mappings().saturating_sub(mappings_before);
    println!("{n_functions} functions in {name} mode, each called once:");
    println!("  {micros:.0} µs and {bytes} bytes of memory for each; {n_mappings} mappings for all");
    record::add(
        "many_functions",
        "mode,functions,micros,bytes,mappings",
        &[format!("{name},{n_functions},{micros:.0},{bytes},{n_mappings}")],
    );
}
