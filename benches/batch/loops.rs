//! Loops of the benchmark `batch` in Rust.
//!
//! `loops NAME ROWS ROUNDS` prints the shortest time of a round in seconds and the sum of the
//! results.

use std::hint::black_box;
use std::time::Instant;

/// Returns doubles from 0 to 10, the same in every language.
fn column(n: usize, factor: usize) -> Vec<f64> {
    (0..n).map(|row| (row * factor % 1_000_003) as f64 / 1_000_003.0 * 10.0).collect()
}

fn quadratic(columns: &[Vec<f64>], out: &mut [f64]) {
    let [a, b, c, x] = columns else { unreachable!("it has four parameters") };
    for ((((out, a), b), c), x) in out.iter_mut().zip(a).zip(b).zip(c).zip(x) {
        *out = a * x * x + b * x + c;
    }
}

fn waves(columns: &[Vec<f64>], out: &mut [f64]) {
    let [x, y, z] = columns else { unreachable!("it has three parameters") };
    for (((out, x), y), z) in out.iter_mut().zip(x).zip(y).zip(z) {
        *out = x.sin() + y.sin() + z.sin();
    }
}

fn branches(columns: &[Vec<f64>], out: &mut [f64]) {
    let [x, y] = columns else { unreachable!("it has two parameters") };
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        *out = if x < y { x * y } else { x - y };
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let number = |idx: usize| arguments[idx].parse::<usize>().expect("a number");
    let (n_rows, n_rounds) = (number(2), number(3));
    let (n_columns, run): (_, fn(&[Vec<f64>], &mut [f64])) = match &*arguments[1] {
        "quadratic" => (4, quadratic),
        "branches" => (2, branches),
        _ => (3, waves),
    };
    let columns: Vec<_> = [7_919, 104_729, 1_299_709, 15_485_863][..n_columns]
        .iter()
        .map(|&factor| column(n_rows, factor))
        .collect();
    let mut out = vec![1.0; n_rows];
    let mut best = f64::INFINITY;
    for _ in 0..n_rounds {
        let start = Instant::now();
        run(black_box(&columns), black_box(&mut out));
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{best} {}", out.iter().sum::<f64>());
}
