//! How long do formulas take, from the text to the values, compared with other crates?
//!
//! For each formula: further calls; and from its text to the values of 1, 10, 100, 1,000, 10,000
//! and a million calls. All peers must agree before the measurements.

use criterion::{BenchmarkId, Criterion, criterion_group};
use kaleidoscope_embedding_bench::formulas::FORMULAS;
use kaleidoscope_embedding_bench::peers::peers;
use kaleidoscope_embedding_bench::{PointData, TOTALS};
use std::env;
use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

/// Environment variable with the name of a process's formula.
const FORMULA: &str = "KALEIDOSCOPE_BENCH_FORMULA";
const N_CALLS: usize = 1_000;

fn formulas(criterion: &mut Criterion) {
    let wanted = env::var(FORMULA);
    let peers = peers();
    let data = PointData::new(1_000_000);
    let points = data.points();
    for formula in FORMULAS.iter().filter(|formula| wanted.as_deref() == Ok(formula.name)) {
        let expected = peers[0].compile(formula).sum(points.first(100));
        for peer in &peers {
            let sum = peer.compile(formula).sum(points.first(100));
            let name = peer.name();
            assert!(
                (sum - expected).abs() < 1e-9 * expected.abs(),
                "{name}, {}: {sum}, not {expected}",
                formula.name
            );
        }

        let mut group = criterion.benchmark_group(format!("{}: {N_CALLS} more calls", formula.name));
        for peer in &peers {
            let mut compiled = peer.compile(formula);
            group.bench_function(BenchmarkId::from_parameter(peer.name()), |bencher| {
                bencher.iter(|| black_box(compiled.sum(points.first(N_CALLS))));
            });
        }
        group.finish();

        for (name, n_calls) in TOTALS {
            let mut group = criterion.benchmark_group(format!("{}: {name}", formula.name));
            group
                .sample_size(10)
                .warm_up_time(Duration::from_millis(100))
                .measurement_time(Duration::from_millis(300));
            for peer in &peers {
                group.bench_function(BenchmarkId::from_parameter(peer.name()), |bencher| {
                    bencher.iter(|| black_box(peer.compile(formula).sum(points.first(*n_calls))));
                });
            }
            group.finish();
        }
    }
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = formulas
}

/// Runs each formula in a process of its own: symjit does not unmap its memory, and a process can
/// have at most 65,530 mappings.
fn main() -> Result<(), Box<dyn Error>> {
    if env::var_os(FORMULA).is_some() {
        all();
        return Ok(());
    }
    for formula in FORMULAS {
        let itself = env::current_exe()?;
        let status = Command::new(itself).args(env::args_os().skip(1)).env(FORMULA, formula.name).status()?;
        if !status.success() {
            return Err(format!("{}: {status}", formula.name).into());
        }
    }
    Ok(())
}
