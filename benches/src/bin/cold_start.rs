//! How long from the start of the process to the first value?
//!
//! Our command in lazy mode beside the chapter 7 program of LLVM's tutorial, whole processes, turn and turn about, the
//! program on standard input. Then where the time of ours goes, by its own statistics.

use kaleidoscope_benches::timing::{Pairs, median, millis, time};
use kaleidoscope_benches::{peer, record};
use serde_json::Value;
use std::process::{Command, Stdio};

const N_PAIRS: usize = 60;

fn main() {
    let (ours, theirs) = (peer::kaleidoscope(), peer::chapter7());
    let mut lines = Vec::new();
    println!("wall time of the whole process, median of {N_PAIRS} pairs; ratio with its quartiles");
    for program in ["small", "constant"] {
        let input = peer::root().join(format!("benches/programs/{program}.kal"));
        let pairs = Pairs::measure(
            N_PAIRS,
            || peer::run_with_input(&ours, &["run", "--jit", "lazy"], &input),
            || peer::run_with_input(&theirs, &[], &input),
        );
        let [low, ratio, high] = pairs.ratio();
        println!(
            "  {program:<9} ours {:>7} ms   chapter 7 {:>7} ms   ratio {ratio:.3} ({low:.3} to {high:.3})",
            millis(pairs.ours()),
            millis(pairs.theirs()),
        );
        lines.push(format!("{program},{},{},{ratio:.3}", millis(pairs.ours()), millis(pairs.theirs())));
    }
    record::add("cold_start", "program,ours_ms,chapter7_ms,ratio", &lines);

    println!("where the time goes in `small`, median of {N_PAIRS} runs, in ms:");
    let quiet = |args: &[&str]| {
        let mut command = Command::new(&ours);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    let bare = median((0..N_PAIRS).map(|_| time(&mut || drop(quiet(&["--version"]).output()))));
    println!("  {:<34} {:>7}", "process that only says its version", millis(bare));
    let mut stages: Vec<(String, Vec<f64>)> = Vec::new();
    for _ in 0..N_PAIRS {
        let output =
            quiet(&["run", "--stats=json", "-e", "def f(x) x*x + 1; f(3);"]).output().expect("ours runs");
        let text = String::from_utf8_lossy(&output.stderr);
        let stats: Value = serde_json::from_str(text.trim()).expect("--stats=json prints one object");
        for (name, micros) in stats["micros"].as_object().expect("an object of times") {
            let micros = micros.as_f64().expect("a number");
            match stages.iter_mut().find(|(known, _)| known == name) {
                Some((_, times)) => times.push(micros),
                None => stages.push((name.clone(), vec![micros])),
            }
        }
    }
    for (name, mut times) in stages {
        times.sort_by(f64::total_cmp);
        println!("  {name:<34} {:>7.3}", times[times.len() / 2] / 1e3);
    }
}
