//! Prints a table of Criterion's last results, from its own files.
//!
//! The table has the time of Kaleidoscope for each measurement and formula, and the ratios of the
//! other crates. A second table has, for each number of calls of a formula, our fastest way and the
//! fastest of the other crates. `--record` also writes it to `benches/record/embedding.csv`.
//!
//! ```text
//! cargo run --release --manifest-path benches/embedding/Cargo.toml --bin summary -- --record
//! ```

use kaleidoscope_embedding_bench::TOTALS;
use kaleidoscope_embedding_bench::formulas::FORMULAS;
use kaleidoscope_embedding_bench::peers::peers;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Nanoseconds, by measurement and peer.
type Times = BTreeMap<String, BTreeMap<String, f64>>;

fn main() -> Result<(), Box<dyn Error>> {
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from("benches/embedding/target"), PathBuf::from);
    let mut times = Times::new();
    read(&target.join("criterion"), &mut times)?;
    let peers = peers();
    let names: Vec<&str> = peers.iter().map(|peer| peer.name()).collect();
    let ours = names[0];

    println!("| | {ours} | {} |", names[1..].join(" | "));
    println!("|---|{}", "---|".repeat(names.len()));
    let mut csv = String::from("question,peer,nanoseconds,ratio_to_kaleidoscope\n");
    for (question, by_peer) in &times {
        let Some(base) = by_peer.get(ours) else { continue };
        print!("| {question} | {}", readable(*base));
        for &name in &names {
            let Some(time) = by_peer.get(name) else { continue };
            let ratio = time / base;
            csv += &format!("\"{question}\",\"{name}\",{time:.0},{ratio:.2}\n");
            if name != ours {
                print!(" | {ratio:.1}");
            }
        }
        println!(" |");
    }
    print_totals(&times);
    if env::args().any(|arg| arg == "--record") {
        let record = Path::new(env!("CARGO_MANIFEST_DIR")).join("../record/embedding.csv");
        fs::write(record, csv)?;
    }
    Ok(())
}

/// Prints our fastest way and the fastest of the others, from a formula's text to its values.
fn print_totals(times: &Times) {
    println!("\n| formula | calls | our fastest way | | the fastest other | | ratio |");
    println!("|---|---|---|---|---|---|---|");
    for formula in FORMULAS {
        for (name, n_calls) in TOTALS {
            let Some(by_peer) = times.get(&format!("{}: {name}", formula.name)) else { continue };
            let fastest = |is_ours: bool| {
                let peers = by_peer.iter().filter(|(peer, _)| peer.starts_with("kaleidoscope") == is_ours);
                peers.min_by(|(_, a), (_, b)| a.total_cmp(b))
            };
            let (Some((our_way, ours)), Some((other, others))) = (fastest(true), fastest(false)) else {
                continue;
            };
            let (time, ratio) = (readable(*ours), ours / others);
            println!(
                "| {} | {n_calls} | {our_way} | {time} | {other} | {} | {ratio:.2} |",
                formula.name,
                readable(*others)
            );
        }
    }
}

/// Adds the results in this folder and below.
fn read(folder: &Path, times: &mut Times) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name == "new") {
            let json = |name: &str| -> Result<Value, Box<dyn Error>> {
                Ok(serde_json::from_slice(&fs::read(path.join(name))?)?)
            };
            let (what, estimates) = (json("benchmark.json")?, json("estimates.json")?);
            let text = |key: &str| what[key].as_str().unwrap_or_default().to_owned();
            let time = estimates["median"]["point_estimate"]
                .as_f64()
                .ok_or("Criterion's files have another format")?;
            times.entry(text("group_id")).or_default().insert(text("value_str"), time);
        } else if path.is_dir() {
            read(&path, times)?;
        }
    }
    Ok(())
}

fn readable(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e4 => format!("{ns:.0} ns"),
        ns if ns < 1e7 => format!("{:.0} µs", ns / 1e3),
        ns => format!("{:.1} ms", ns / 1e6),
    }
}
