//! How fast is a formula over columns, compared with a loop?
//!
//! Ten million rows on one thread. Our `map` is compared with the same loop in Rust
//! (`benches/batch/loops.rs`), compiled for this processor (`-C opt-level=3 -C
//! target-cpu=native`), and with numexpr and numba if PyPI has them for this machine. `strict` and
//! `fast` run by kernels of both precisions. `columns` runs by the column interpreter, in an engine
//! without an optimizing tier. The contestants alternate in each round. The shortest time of all
//! rounds counts; code is compiled and columns are filled before. All columns are in large pages.
//!
//! Goals: a quadratic within 1.15 of Rust's loop, three sines not slower than Rust's loop, and at
//! most a fifth of that with [`Precision::Fast`]. By columns, all formulas within 1.05 of numexpr,
//! which computes by columns as well, on one thread and without Intel's vector maths library.
//!
//! `--rounds N` and `--rows N` choose the numbers of rounds and rows.

use kaleidoscope::{Engine, Formula, MapOptions, Mode, Precision, Statistics};
use kaleidoscope_benches::arguments::number;
use kaleidoscope_benches::memory::use_large_pages;
use kaleidoscope_benches::peer::{python_program, root, rust_program};
use kaleidoscope_benches::record;
use kaleidoscope_benches::timing::{millis, time};
use std::process::Command;
use std::time::Duration;

/// Formulas, with the names that the peers use.
const FORMULAS: &[(&str, &str, &[&str])] = &[
    ("quadratic", "a*x*x + b*x + c", &["a", "b", "c", "x"]),
    ("branches", "if x < y then x * y else x - y", &["x", "y"]),
    ("waves", "sin(x) + sin(y) + sin(z)", &["x", "y", "z"]),
];

/// Factors of the column values, the same in the peers.
const FACTORS: [usize; 4] = [7_919, 104_729, 1_299_709, 15_485_863];

/// Repetitions of a contestant in each round.
const N_REPETITIONS: usize = 5;

/// Python packages. They install NumPy.
const PACKAGES: &[&str] = &["numexpr", "numba"];

fn main() {
    use_large_pages();
    let n_rounds = number("--rounds").unwrap_or(5);
    let n_rows = number("--rows").unwrap_or(10_000_000);
    let rust = rust_program(&root().join("benches/batch/loops.rs"));
    let python = python_program(PACKAGES);
    let mut lines = Vec::new();
    println!(
        "{n_rows} rows on one thread, the shortest time in ms of {n_rounds} rounds; ratio to Rust's loop"
    );
    for (name, text, parameters) in FORMULAS {
        let mut ours = Ours::new(text, parameters, n_rows);
        let mut all: Vec<(&str, Best)> =
            ["rust", "strict", "fast", "columns"].map(|who| (who, Best::default())).into();
        all.extend(PACKAGES.iter().filter(|_| python.is_some()).map(|package| (*package, Best::default())));
        for _ in 0..n_rounds {
            for (who, best) in &mut all {
                let (took, sum) = match *who {
                    "rust" => by_process(Command::new(&rust), &[name], n_rows),
                    "strict" => ours.run(Way::Kernel(Precision::Strict)),
                    "fast" => ours.run(Way::Kernel(Precision::Fast)),
                    "columns" => ours.run(Way::Columns),
                    package => {
                        let mut command = Command::new(python.as_ref().expect("the package is installed"));
                        command.arg(root().join("benches/batch/loops.py"));
                        by_process(command, &[package, name], n_rows)
                    }
                };
                best.took = best.took.min(took);
                best.sum = sum;
            }
        }
        let (rust, sum) = (all[0].1.took, all[0].1.sum);
        let took = |who| all.iter().find(|(other, _)| *other == who).map(|(_, best)| best.took);
        if let (Some(columns), Some(numexpr)) = (took("columns"), took("numexpr")) {
            println!(
                "{name:<10} by columns, ratio to numexpr {:.3}",
                columns.as_secs_f64() / numexpr.as_secs_f64()
            );
        }
        for (who, best) in &all {
            let ratio = best.took.as_secs_f64() / rust.as_secs_f64();
            println!("{name:<10} {who:<8} {:>9}  ratio {ratio:.3}", millis(best.took));
            lines.push(format!("{name},{who},{},{ratio:.3}", millis(best.took)));
            assert!(
                (best.sum - sum).abs() <= 1e-9 * sum.abs(),
                "{who} computes another result: {}",
                best.sum
            );
        }
        for exact in [1, 3] {
            assert_eq!(all[exact].1.sum, sum, "strict rows have the same bits as the loop");
        }
    }
    record::add("batch", "formula,who,ms,ratio_to_rust", &lines);
}

/// The shortest time of a contestant, and its result.
struct Best {
    took: Duration,
    sum: f64,
}

impl Default for Best {
    fn default() -> Self {
        Self { took: Duration::MAX, sum: 0.0 }
    }
}

/// Our formula in two engines, with its columns.
struct Ours {
    /// In an engine with an optimizing tier, which counts the rows that kernels compute.
    with_kernels: Formula,
    statistics: Statistics,
    /// In an engine without one.
    without: Formula,
    columns: Vec<Vec<f64>>,
    out: Vec<f64>,
}

/// How rows are computed.
#[derive(Clone, Copy)]
enum Way {
    Kernel(Precision),
    Columns,
}

impl Ours {
    /// Fills the columns, and runs the formula until both kernels are compiled.
    fn new(text: &str, parameters: &[&str], n_rows: usize) -> Self {
        let statistics = Statistics::new();
        let with_kernels = Engine::builder().mode(Mode::Lazy).observer(statistics.clone());
        let [with_kernels, without] = [with_kernels, Engine::builder().mode(Mode::Baseline)].map(|builder| {
            let engine = builder.build().expect("there is memory for an engine");
            engine.formula(text, parameters).expect("the formula is valid")
        });
        let column =
            |factor| (0..n_rows).map(move |row| (row * factor % 1_000_003) as f64 / 1_000_003.0 * 10.0);
        let columns = FACTORS[..parameters.len()].iter().map(|&factor| column(factor).collect()).collect();
        let mut ours = Self { with_kernels, statistics, without, columns, out: vec![1.0; n_rows] };
        for precision in [Precision::Strict, Precision::Fast] {
            let n_before = ours.statistics.totals().rows.by_kernel;
            while ours.statistics.totals().rows.by_kernel == n_before {
                ours.run(Way::Kernel(precision));
            }
        }
        ours
    }

    fn run(&mut self, way: Way) -> (Duration, f64) {
        let columns: Vec<&[f64]> = self.columns.iter().map(Vec::as_slice).collect();
        let (formula, precision) = match way {
            Way::Kernel(precision) => (&self.with_kernels, precision),
            Way::Columns => (&self.without, Precision::Strict),
        };
        let options = MapOptions::new().precision(precision).on_this_thread();
        let mut map = || {
            formula.map_with(options, &columns, &mut self.out).expect("the rows have values");
        };
        let best = (0..N_REPETITIONS).map(|_| time(&mut map)).min().expect("there are rounds");
        (best, self.out.iter().sum())
    }
}

/// Runs a peer and returns the time and the sum that it prints.
fn by_process(mut command: Command, args: &[&str], n_rows: usize) -> (Duration, f64) {
    let command = command.args(args).args([n_rows, N_REPETITIONS].map(|n| n.to_string()));
    let output = command.output().expect("the peer is built");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [seconds, sum] = numbers[..] else {
        panic!("{command:?} printed {text:?} and {}", String::from_utf8_lossy(&output.stderr));
    };
    (Duration::from_secs_f64(seconds), sum)
}
