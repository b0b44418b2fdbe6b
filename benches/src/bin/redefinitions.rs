//! Does memory level off when a function is defined again and again?
//!
//! Defines a function 100,000 times in one engine in lazy mode, each time otherwise, and calls it after each: directly, and
//! through a caller compiled before the first of them. So each turn compiles, links and frees a body of the function and the
//! expression that calls. Says how much resident memory grew over the last 50,000 turns. Goal: less than 1 MiB, which is some
//! twenty bytes a turn.

use kaleidoscope::{Engine, Mode};
use kaleidoscope_benches::memory::resident_bytes;
use kaleidoscope_benches::record;
use std::time::Instant;

const N_DEFINITIONS: usize = 100_000;

fn main() {
    let engine = Engine::builder().mode(Mode::Lazy).build().expect("an engine can be made");
    engine.run("def f(x) x; def caller(x) f(x) * 2; caller(1);");
    let start = Instant::now();
    let mut halfway = 0;
    for n in 0..N_DEFINITIONS {
        let outcome = engine.run(&format!("def f(x) x * x + {n}.25; f(3) + caller(3);"));
        let expected = 3.0 * (9.0 + n as f64 + 0.25);
        assert_eq!(outcome.values().collect::<Vec<_>>(), [expected]);
        if n + 1 == N_DEFINITIONS / 2 {
            halfway = resident_bytes();
        }
        if (n + 1) % 10_000 == 0 {
            println!("{:>7} definitions: {:>6} KiB resident", n + 1, resident_bytes() >> 10);
        }
    }
    let grown = resident_bytes() as i64 - halfway as i64;
    let micros = start.elapsed().as_secs_f64() * 1e6 / N_DEFINITIONS as f64;
    println!("grown over the last {}: {} KiB; {micros:.0} µs for each", N_DEFINITIONS / 2, grown >> 10);
    record::add("redefinitions", "grown_kib,micros", &[format!("{},{micros:.0}", grown >> 10)]);
}
