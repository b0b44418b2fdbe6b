//! How long does an expression take in a running session?
//!
//! Measures the time from text to value of 1,000 different expressions, one after the other in one
//! engine in each mode. The first kind calls a compiled function: it is compiled, run and freed.
//! The second kind has constants only and is not compiled. Goals in tiered mode, as medians: 150
//! µs and 10 µs.

use kaleidoscope::{Engine, Mode};
use kaleidoscope_benches::record;
use kaleidoscope_benches::timing::{quartiles, time};

const N_EXPRESSIONS: usize = 1_000;

fn main() {
    println!("lower quartile, median, upper quartile of {N_EXPRESSIONS} expressions in µs");
    let mut lines = Vec::new();
    for mode in [Mode::Tiered, Mode::Lazy] {
        let engine = Engine::builder().mode(mode).build().expect("an engine can be made");
        engine.run("def f(x) x * x + 1; f(1);").ok().expect("the text is correct");
        let number = |n: usize| n as f64;
        measure(&mut lines, &engine, "call", |n| {
            (format!("f({n}.25) - {n};"), (number(n) + 0.25).powi(2) + 1.0 - number(n))
        });
        measure(&mut lines, &engine, "constant", |n| (format!("1 + {n} * 3;"), 1.0 + number(n) * 3.0));
    }
    record::add("expressions", "mode,expression,low_us,median_us,high_us", &lines);
}

/// Runs expressions, given as text and value, and adds a line to the record.
fn measure(
    lines: &mut Vec<String>,
    engine: &Engine,
    kind: &str,
    expression: impl Fn(usize) -> (String, f64),
) {
    let mut micros = Vec::new();
    for n in 0..N_EXPRESSIONS {
        let (text, expected) = expression(n);
        let mut value = None;
        let took = time(&mut || value = engine.run(&text).values().next());
        assert_eq!(value, Some(expected), "{text}");
        micros.push(took.as_secs_f64() * 1e6);
    }
    let [low, median, high] = quartiles(micros);
    let mode = engine.mode().name();
    println!("  {mode:<8} {kind:<8} {low:>8.1} {median:>8.1} {high:>8.1}");
    lines.push(format!("{mode},{kind},{low:.1},{median:.1},{high:.1}"));
}
