//! Batch: a function applied to columns of a million rows, in one call.
//!
//! Run by `cargo run --release -p kaleidoscope --features llvm --example batch`. Without LLVM it is
//! slower, and gives the same results.

use kaleidoscope::{Engine, Precision};
use std::time::Instant;

const N_ROWS: usize = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::new()?;
    engine.prelude()?;
    engine.run("def damped(t f) exp(-t) * cos(6.283185307179586 * f * t);").ok()?;
    let damped = engine.function::<(f64, f64)>("damped")?;

    let times: Vec<f64> = (0..N_ROWS).map(|n| n as f64 / N_ROWS as f64).collect();
    let frequencies = vec![50.0; N_ROWS];
    let columns = [&*times, &*frequencies];
    let mut strict = vec![0.0; N_ROWS];
    let mut fast = vec![0.0; N_ROWS];

    // The first batches may run while the kernel is compiled. The results have the same bits.
    for n in 1..=3 {
        let start = Instant::now();
        damped.map(&columns, &mut strict)?;
        let took = start.elapsed();
        let start = Instant::now();
        damped.map_with(Precision::Fast, &columns, &mut fast)?;
        println!("batch {n}: {took:.1?}, and {:.1?} with the vector maths library", start.elapsed());
    }
    for row in [0, 1, 250_000, N_ROWS - 1] {
        assert_eq!(strict[row].to_bits(), damped.call((times[row], frequencies[row]))?.to_bits());
        assert!((fast[row] - strict[row]).abs() < 1e-12);
    }
    Ok(())
}
