//! Loops of the benchmark `results` in Rust: each computes all results of a row.
//!
//! `results NAME ROWS ROUNDS` prints the shortest time of a round in seconds and the sum of all
//! results.

use std::hint::black_box;
use std::time::Instant;

/// Returns doubles from 0 to 10, the same in the benchmark.
fn column(n: usize, factor: usize) -> Vec<f64> {
    (0..n).map(|row| (row * factor % 1_000_003) as f64 / 1_000_003.0 * 10.0).collect()
}

fn roots(columns: &[Vec<f64>], outs: &mut [Vec<f64>]) {
    let [a, b, c] = columns else { unreachable!("it has three parameters") };
    let [first, second] = outs else { unreachable!("it has two results") };
    for ((((first, second), a), b), c) in first.iter_mut().zip(second).zip(a).zip(b).zip(c) {
        let root = (b * b - 4.0 * a * c).abs().sqrt();
        *first = (-b - root) / (2.0 * a + 1.0);
        *second = (-b + root) / (2.0 * a + 1.0);
    }
}

fn decay(columns: &[Vec<f64>], outs: &mut [Vec<f64>]) {
    let [rate, t] = columns else { unreachable!("it has two parameters") };
    let [left, gone, speed] = outs else { unreachable!("it has three results") };
    for ((((left, gone), speed), rate), t) in left.iter_mut().zip(gone).zip(speed).zip(rate).zip(t) {
        *left = (-rate * t).exp();
        *gone = 1.0 - *left;
        *speed = rate * *left;
    }
}

fn polar(columns: &[Vec<f64>], outs: &mut [Vec<f64>]) {
    let [r, t] = columns else { unreachable!("it has two parameters") };
    let [x, y, sum] = outs else { unreachable!("it has three results") };
    for ((((x, y), sum), r), t) in x.iter_mut().zip(y).zip(sum).zip(r).zip(t) {
        *x = r * t.cos();
        *y = r * t.sin();
        *sum = *x + *y;
    }
}

fn average(columns: &[Vec<f64>], outs: &mut [Vec<f64>]) {
    let ([x], [out]) = (columns, outs) else { unreachable!("it has one parameter and one result") };
    let mut state = 5.0;
    for (out, x) in out.iter_mut().zip(x) {
        state = state + 0.1 * (x - state);
        *out = state;
    }
}

fn last_average(columns: &[Vec<f64>], outs: &mut [Vec<f64>]) {
    let ([x], [out]) = (columns, outs) else { unreachable!("it has one parameter and one result") };
    out[0] = x.iter().fold(5.0, |state, x| state + 0.1 * (x - state));
}

fn mean(columns: &[Vec<f64>], outs: &mut [Vec<f64>]) {
    let ([x], [ns, means]) = (columns, outs) else { unreachable!("it has two results") };
    let (mut n, mut mean) = (0.0, 0.0);
    for ((n_out, mean_out), x) in ns.iter_mut().zip(means).zip(x) {
        (n, mean) = (n + 1.0, mean + (x - mean) / (n + 1.0));
        (*n_out, *mean_out) = (n, mean);
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let number = |idx: usize| arguments[idx].parse::<usize>().expect("a number");
    let (n_rows, n_rounds) = (number(2), number(3));
    let (n_columns, n_outs, run): (_, _, fn(&[Vec<f64>], &mut [Vec<f64>])) = match &*arguments[1] {
        "roots" => (3, 2, roots),
        "decay" => (2, 3, decay),
        "polar" => (2, 3, polar),
        "average" => (1, 1, average),
        "last_average" => (1, 1, last_average),
        _ => (1, 2, mean),
    };
    let columns: Vec<_> =
        [7_919, 104_729, 1_299_709][..n_columns].iter().map(|&factor| column(n_rows, factor)).collect();
    let n_out_rows = if &*arguments[1] == "last_average" { 1 } else { n_rows };
    let mut outs = vec![vec![1.0; n_out_rows]; n_outs];
    let mut best = f64::INFINITY;
    for _ in 0..n_rounds {
        let start = Instant::now();
        run(black_box(&columns), black_box(&mut outs));
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{best} {}", outs.iter().flatten().sum::<f64>());
}
