//! How fast are several formulas together, and rows that depend on the row before, compared with a
//! loop written by hand?
//!
//! Ten million rows on one thread. [`Formulas::map`] is compared with one Rust loop that computes
//! all results, [`Formulas::scan`] and [`Formulas::fold`] with Rust loops that keep their state in
//! variables (`benches/batch/results.rs`, `-C opt-level=3 -C target-cpu=native`). `apart` computes
//! the formulas of a map by a batch each, `calls` runs scans without an optimizing tier. The
//! contestants alternate in each round. The shortest time of all rounds counts; code is compiled
//! and columns are filled before. All columns are in large pages.
//!
//! Rust's compiler merges `sin` and `cos` of one argument, in `polar`, into C's `sincos`, and so do
//! we.
//!
//! Goals: several results within 1.05 of the loop that computes all, an exponential moving average
//! within 1.1 of the loop.
//!
//! `--rounds N` and `--rows N` choose the numbers of rounds and rows.

use kaleidoscope::{Engine, Formulas, MapOptions, Mode, Statistics};
use kaleidoscope_benches::arguments::number;
use kaleidoscope_benches::memory::use_large_pages;
use kaleidoscope_benches::peer::{root, rust_program};
use kaleidoscope_benches::record;
use kaleidoscope_benches::timing::{millis, time};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How rows are computed.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Map,
    Scan(&'static [f64]),
    Fold(&'static [f64]),
}

/// The name that the Rust program uses, the formulas, the parameters and the form.
type Case = (&'static str, &'static [&'static str], &'static [&'static str], Form);

const CASES: &[Case] = &[
    (
        "roots",
        &["(0 - b - sqrt(fabs(b*b - 4*a*c))) / (2*a + 1)", "(0 - b + sqrt(fabs(b*b - 4*a*c))) / (2*a + 1)"],
        &["a", "b", "c"],
        Form::Map,
    ),
    (
        "decay",
        &["exp((0 - rate) * t)", "1 - exp((0 - rate) * t)", "rate * exp((0 - rate) * t)"],
        &["rate", "t"],
        Form::Map,
    ),
    ("polar", &["r * cos(t)", "r * sin(t)", "r * cos(t) + r * sin(t)"], &["r", "t"], Form::Map),
    ("average", &["s + 0.1 * (x - s)"], &["s", "x"], Form::Scan(&[5.0])),
    ("last_average", &["s + 0.1 * (x - s)"], &["s", "x"], Form::Fold(&[5.0])),
    ("mean", &["n + 1", "m + (x - m) / (n + 1)"], &["n", "m", "x"], Form::Scan(&[0.0, 0.0])),
];

/// Factors of the column values, the same in the Rust program.
const FACTORS: [usize; 3] = [7_919, 104_729, 1_299_709];

/// Repetitions of a contestant in each round.
const N_REPETITIONS: usize = 5;

fn main() {
    use_large_pages();
    let n_rounds = number("--rounds").unwrap_or(5);
    let n_rows = number("--rows").unwrap_or(10_000_000);
    let rust = rust_program(&root().join("benches/batch/results.rs"));
    let mut lines = Vec::new();
    println!(
        "{n_rows} rows on one thread, the shortest time in ms of {n_rounds} rounds; ratio to Rust's loop"
    );
    for case in CASES {
        let (name, .., form) = *case;
        let mut kernel = Ours::new(case, Mode::Lazy, n_rows);
        let mut without = Ours::new(case, Mode::Baseline, n_rows);
        let ways: &[&str] =
            if form == Form::Map { &["rust", "ours", "apart"] } else { &["rust", "ours", "calls"] };
        let mut best = vec![(Duration::MAX, 0.0); ways.len()];
        for _ in 0..n_rounds {
            for (who, best) in ways.iter().zip(&mut best) {
                let (took, sum) = match *who {
                    "rust" => by_process(&rust, name, n_rows),
                    "apart" => kernel.run_apart(),
                    "calls" => without.run(),
                    _ => kernel.run(),
                };
                *best = (best.0.min(took), sum);
            }
        }
        for (who, (took, sum)) in ways.iter().zip(&best) {
            let ratio = took.as_secs_f64() / best[0].0.as_secs_f64();
            println!("{name:<12} {who:<6} {:>9}  ratio {ratio:.3}", millis(*took));
            lines.push(format!("{name},{who},{},{ratio:.3}", millis(*took)));
            assert_eq!(*sum, best[0].1, "the rows of {who} have the bits of the loop");
        }
    }
    record::add("results", "case,who,ms,ratio_to_rust", &lines);
}

/// The formulas in an engine, with their columns.
struct Ours {
    formulas: Formulas,
    form: Form,
    columns: Vec<Vec<f64>>,
    outs: Vec<Vec<f64>>,
}

impl Ours {
    /// Fills the columns, and runs the formulas until their kernels are compiled, if this mode has
    /// any.
    fn new(&(_, texts, parameters, form): &Case, mode: Mode, n_rows: usize) -> Self {
        let statistics = Statistics::new();
        let engine = Engine::builder().mode(mode).observer(statistics.clone()).build();
        let engine = engine.expect("there is memory for an engine");
        let formulas = engine.formulas(texts, parameters).expect("the formulas are valid");
        let n_states = if form == Form::Map { 0 } else { texts.len() };
        let column =
            |factor| (0..n_rows).map(move |row| (row * factor % 1_000_003) as f64 / 1_000_003.0 * 10.0);
        let columns =
            FACTORS[..parameters.len() - n_states].iter().map(|&factor| column(factor).collect()).collect();
        let n_out_rows = if matches!(form, Form::Fold(_)) { 1 } else { n_rows };
        let outs = vec![vec![1.0; n_out_rows]; texts.len()];
        let mut ours = Self { formulas, form, columns, outs };
        let mut warm_up = |run: fn(&mut Self) -> (Duration, f64)| {
            let n_before = statistics.totals().rows.by_kernel;
            run(&mut ours);
            while mode == Mode::Lazy && statistics.totals().rows.by_kernel == n_before {
                run(&mut ours);
            }
        };
        warm_up(Self::run);
        if form == Form::Map {
            warm_up(Self::run_apart);
        }
        ours
    }

    /// All formulas together.
    fn run(&mut self) -> (Duration, f64) {
        let Self { formulas, form, columns, outs } = self;
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let mut places: Vec<_> = outs.iter_mut().map(Vec::as_mut_slice).collect();
        let options = MapOptions::new().on_this_thread();
        let best = best_of(|| match *form {
            Form::Map => formulas.map_with(options, &columns, &mut places).expect("the rows have values"),
            Form::Scan(init) => formulas.scan(init, &columns, &mut places).expect("the rows have values"),
            Form::Fold(init) => {
                places[0][0] = formulas.fold(init, &columns).expect("the rows have values")[0];
            }
        });
        (best, self.sum())
    }

    /// Each formula by a batch of its own.
    fn run_apart(&mut self) -> (Duration, f64) {
        let Self { formulas, columns, outs, .. } = self;
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let options = MapOptions::new().on_this_thread();
        let best = best_of(|| {
            for (formula, out) in formulas.formulas().iter().zip(outs.iter_mut()) {
                formula.map_with(options, &columns, out).expect("the rows have values");
            }
        });
        (best, self.sum())
    }

    fn sum(&self) -> f64 {
        self.outs.iter().flatten().sum()
    }
}

fn best_of(mut run: impl FnMut()) -> Duration {
    (0..N_REPETITIONS).map(|_| time(&mut run)).min().expect("there are repetitions")
}

/// Runs a peer and returns the time and the sum that it prints.
fn by_process(program: &Path, name: &str, n_rows: usize) -> (Duration, f64) {
    let mut command = Command::new(program);
    let command = command.arg(name).args([n_rows, N_REPETITIONS].map(|n| n.to_string()));
    let output = command.output().expect("the peer is built");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [seconds, sum] = numbers[..] else {
        panic!("{command:?} printed {text:?} and {}", String::from_utf8_lossy(&output.stderr));
    };
    (Duration::from_secs_f64(seconds), sum)
}
