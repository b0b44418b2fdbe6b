//! How fast are we, compared with others?
//!
//! Compares our command in each mode with the chapter 7 program of LLVM's tutorial, LuaJIT, Node,
//! and C by gcc and clang with `-O3`, on the works of `compare/work.rs`. Whole processes alternate
//! in each round, so that a disturbance affects all. Compiling C does not count. First, all must
//! compute the same value. Then the ratio of our tiered mode to each other contestant is computed
//! in each round. The results are medians and quartiles.
//!
//! `cargo xtask compare [--rounds N] [--only WORK] [--record]` installs missing contestants by
//! apt-get if it can. With `--record`, the results go to `benches/record/compare-DATE.csv` and to
//! the table in `docs/performance.md`.

use kaleidoscope_benches::compare::board::{COLUMNS, Row, markdown};
use kaleidoscope_benches::compare::contestant::{Contestant, Task, contestants};
use kaleidoscope_benches::compare::install::install_missing;
use kaleidoscope_benches::compare::work::{Clock, WORKS, Work};
use kaleidoscope_benches::peer::root;
use kaleidoscope_benches::timing::order;
use kaleidoscope_benches::{arguments, process, record};
use std::fs;
use std::process::ExitCode;

/// Starting a process takes little time, and that time varies, so more rounds are useful and cheap.
const ROUNDS_OF_STARTS: usize = 5;

/// The document with the table of results.
const TABLE_FILE: &str = "docs/performance.md";

/// The allowed relative difference between languages: their maths functions round differently, and
/// the chapter 7 program prints six digits.
const TOLERANCE: f64 = 1e-9;

fn main() -> ExitCode {
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result<(), String> {
    let n_rounds = arguments::number("--rounds").unwrap_or(9);
    let only = arguments::option("--only");
    install_missing();
    let contestants = contestants();
    for contestant in &contestants {
        println!("{:<10} {}", contestant.name, contestant.version);
    }
    let mut rows = Vec::new();
    for work in WORKS.iter().filter(|work| only.as_ref().is_none_or(|only| only == work.name)) {
        let row = measure(work, &contestants, n_rounds)?;
        row.print();
        rows.push(row);
    }
    let table = markdown(&rows);
    println!("\n{table}");
    if record::is_requested() {
        let lines: Vec<String> = rows.iter().flat_map(Row::lines).collect();
        record::add(&format!("compare-{}", record::date()), COLUMNS, &lines);
        // Only a complete table is recorded.
        if only.is_none() {
            let failed = |error| format!("{TABLE_FILE}: {error}");
            let path = root().join(TABLE_FILE);
            let text = fs::read_to_string(&path).map_err(failed)?;
            let text = record::replace_table(&text, "compare", &table)?;
            fs::write(&path, text).map_err(failed)?;
        }
    }
    Ok(())
}

fn measure(work: &'static Work, contestants: &[Contestant], n_rounds: usize) -> Result<Row, String> {
    println!();
    let tasks =
        contestants.iter().map(|contestant| contestant.prepare(work)).collect::<Result<Vec<_>, _>>()?;
    let able = check(contestants, &tasks)?;
    let n_rounds = if work.clock == Clock::Wall { n_rounds * ROUNDS_OF_STARTS } else { n_rounds };
    let mut row = Row::new(work, contestants.iter().map(|contestant| contestant.name));
    for round in 0..n_rounds {
        for contestant in order(round, able.len()).into_iter().map(|nth| able[nth]) {
            let task = &tasks[contestant];
            let (cost, status) =
                process::run(&mut task.command()?).map_err(|error| format!("{}: {error}", task.line()))?;
            if !status.success() {
                return Err(format!("{}: {status}", task.line()));
            }
            row.add(contestant, cost);
        }
    }
    Ok(row)
}

/// Runs everything once, and returns the contestants that compute the right value. Ours must.
fn check(contestants: &[Contestant], tasks: &[Task]) -> Result<Vec<usize>, String> {
    let mut able = Vec::new();
    let mut expected = None;
    for (idx, (contestant, task)) in contestants.iter().zip(tasks).enumerate() {
        println!("  {}", task.line());
        let value = match task.value() {
            Ok(value) => value,
            Err(message) if contestant.is_ours() => return Err(message),
            Err(message) => {
                println!("  {} cannot do it: {message}", contestant.name);
                continue;
            }
        };
        let expected = *expected.get_or_insert(value);
        if (value - expected).abs() > TOLERANCE * expected.abs() {
            return Err(format!("{} gives {value} instead of {expected}", task.line()));
        }
        able.push(idx);
    }
    Ok(able)
}
