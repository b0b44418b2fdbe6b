//! How long from the start of the process to the first value?
//!
//! Compares our command in its default mode with the chapter 7 program of LLVM's tutorial, as
//! whole processes that alternate, with the program on standard input. Then prints the stages of
//! our time, from the command's own statistics.

use kaleidoscope_benches::chapter7::compare_with_chapter7;
use kaleidoscope_benches::peer;
use kaleidoscope_benches::timing::{median, millis, time};
use serde_json::Value;
use std::process::{Command, Stdio};

const N_RUNS: usize = 60;

fn main() {
    compare_with_chapter7("cold_start", &["small", "constant"], &["run"], N_RUNS);

    let ours = peer::kaleidoscope();
    println!("stages of `small`, median of {N_RUNS} runs, in ms:");
    let quiet = |args: &[&str]| {
        let mut command = Command::new(&ours);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    let bare = median((0..N_RUNS).map(|_| time(&mut || drop(quiet(&["--version"]).output()))));
    println!("  {:<34} {:>7}", "process that only prints its version", millis(bare));
    let mut stages: Vec<(String, Vec<f64>)> = Vec::new();
    for _ in 0..N_RUNS {
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
