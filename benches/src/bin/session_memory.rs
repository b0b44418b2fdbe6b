//! Does memory level off in a long session?
//!
//! Runs 100,000 different top-level expressions one after the other in one engine in lazy mode.
//! LLVM compiles each; its code is linked, run and freed. Prints how much resident memory grew
//! over the last 50,000.

use kaleidoscope::{Engine, Mode};
use kaleidoscope_benches::memory::resident_bytes;
use kaleidoscope_benches::record;
use std::time::Instant;

const N_EXPRESSIONS: usize = 100_000;

fn main() {
    let engine = Engine::builder().mode(Mode::Lazy).build().expect("an engine can be made");
    engine.run("def f(x) x * x + 1;").ok().expect("the text is correct");
    let start = Instant::now();
    let mut halfway = 0;
    for n in 0..N_EXPRESSIONS {
        let outcome = engine.run(&format!("f({n}.25) - {n};"));
        let expected = (n as f64 + 0.25) * (n as f64 + 0.25) + 1.0 - n as f64;
        assert_eq!(outcome.values().collect::<Vec<_>>(), [expected]);
        if n + 1 == N_EXPRESSIONS / 2 {
            halfway = resident_bytes();
        }
        if (n + 1) % 10_000 == 0 {
            println!("{:>7} expressions: {:>6} KiB resident", n + 1, resident_bytes() >> 10);
        }
    }
    let grown = resident_bytes() as i64 - halfway as i64;
    let micros = start.elapsed().as_secs_f64() * 1e6 / N_EXPRESSIONS as f64;
    println!("grown over the last {}: {} KiB; {micros:.0} µs for each", N_EXPRESSIONS / 2, grown >> 10);
    record::add("session_memory", "grown_kib,micros", &[format!("{},{micros:.0}", grown >> 10)]);
}
