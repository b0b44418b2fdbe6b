//! A look-up table with linear interpolation: an array of the host, which programs read by index
//! and the host changes while they run.
//!
//! Run by `cargo run -p kaleidoscope --example look_up_table`.

use kaleidoscope::{Array, DiagnosticCode, Engine};
use std::error::Error;

/// The intervals of the table.
const N: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new()?;
    // One element more than intervals, and one more for the value above the last one.
    let table = Array::new(N + 2);
    let fill = |function: fn(f64) -> f64| {
        for at in 0..table.len() {
            table.set(at, function(at as f64 / N as f64));
        }
    };
    fill(f64::sin);
    // Arrays are bound before the text that uses them.
    engine.bind_array("table", &table)?;
    let text = "var at = x * n in table(at) + (at - floor(at)) * (table(at + 1) - table(at))";
    let look_up = engine.formula(text, &["x", "n"]).map_err(|error| error.to_string())?;
    let sine = look_up.call(&[0.12345, N as f64])?;
    println!("sin(0.12345) is about {sine}");
    assert!((sine - 0.12345_f64.sin()).abs() < 1e-6);

    // Columns are gathered.
    let xs: Vec<_> = (0..10_000).map(|row| f64::from(row) / 10_000.0).collect();
    let ns = vec![N as f64; xs.len()];
    let mut out = vec![0.0; xs.len()];
    look_up.map(&[&xs, &ns], &mut out)?;
    let error = |out: &[f64], exact: fn(f64) -> f64| {
        xs.iter().zip(out).map(|(x, out)| (out - exact(*x)).abs()).fold(0.0, f64::max)
    };
    println!("the largest error is {:.1e}", error(&out, f64::sin));
    assert!(error(&out, f64::sin) < 1e-6);

    // The program stays the same, and the host gives it another table.
    fill(f64::exp);
    look_up.map(&[&xs, &ns], &mut out)?;
    assert!(error(&out, f64::exp) < 1e-6);

    // An index that means no element is an error of the call.
    let beyond = look_up.call(&[2.0, N as f64]).expect_err("the table ends at 1");
    println!("{beyond}");
    assert_eq!(beyond.code(), DiagnosticCode::IndexOutOfRange);
    assert_eq!(beyond.to_string(), "index out of range: `table` has 1002 elements, the index is 2000");
    Ok(())
}
