//! Is this build of the command slower than another one?
//!
//! Runs both as whole processes that alternate: two programs that only start, and recursive
//! Fibonacci and the mixed program of `cargo xtask compare` from microseconds to a second, in the
//! default mode. A build of another commit is made in a worktree by `cargo build --release`.
//!
//! `--with PATH` is the other command; `--commit NAME` says in the record what it is. `--rounds N`
//! changes the number of rounds from 20. `--record` adds the lines to `benches/record/builds.csv`.

use kaleidoscope_benches::generate::{self, Language};
use kaleidoscope_benches::peer::{self, root, target_dir};
use kaleidoscope_benches::process::{self, Cost};
use kaleidoscope_benches::timing::{median, quartiles};
use kaleidoscope_benches::{arguments, record};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn main() {
    let Some(other) = arguments::option("--with").map(PathBuf::from) else {
        peer::end("`--with PATH` names the other build of the command")
    };
    let commit = arguments::option("--commit").unwrap_or_else(|| "?".to_owned());
    let n_rounds = arguments::number("--rounds").unwrap_or(20);
    let ours = peer::kaleidoscope();
    let mut lines = Vec::new();
    let mut ratios = Vec::new();
    println!("times of the process, median of {n_rounds} rounds; ratio with its quartiles");
    for (name, file) in programs() {
        let runs: Vec<_> = (0..n_rounds).map(|round| run_both(round, &ours, &other, &file)).collect();
        print!("  {name:<16}");
        let mut line = format!("{commit},{name}");
        for (clock, of) in CLOCKS {
            let millis = |times: &mut dyn Iterator<Item = Duration>| median(times).as_secs_f64() * 1e3;
            let now = millis(&mut runs.iter().map(|(now, _)| of(now)));
            let before = millis(&mut runs.iter().map(|(_, before)| of(before)));
            let each = runs.iter().map(|(now, before)| of(now).as_secs_f64() / of(before).as_secs_f64());
            let [low, ratio, high] = quartiles(each.collect());
            print!("   {clock} {now:>9.3} and {before:>9.3} ms, {ratio:.3} ({low:.3} to {high:.3})");
            line += &format!(",{now:.3},{before:.3},{ratio:.3}");
            ratios.push((clock, ratio));
        }
        println!();
        lines.push(line);
    }
    for (clock, _) in CLOCKS {
        let of_clock = || ratios.iter().filter(|(name, _)| *name == clock).map(|(_, ratio)| ratio);
        let mean = of_clock().map(|ratio| ratio.ln()).sum::<f64>() / of_clock().count() as f64;
        let worst = of_clock().fold(0.0, |worst: f64, ratio| worst.max(*ratio));
        println!("{clock}: geometric mean {:.3}, worst {worst:.3}", mean.exp());
    }
    let columns =
        "before,program,wall_ms,before_wall_ms,wall_ratio,processor_ms,before_processor_ms,processor_ratio";
    record::add("builds", columns, &lines);
}

/// A kind of time, by its name.
type Clock = (&'static str, fn(&Cost) -> Duration);

/// Both kinds of time.
const CLOCKS: &[Clock] = &[("wall", |cost| cost.wall), ("processor", |cost| cost.processor)];

/// The programs, by name.
fn programs() -> Vec<(String, PathBuf)> {
    let start = ["constant", "small"];
    let start = start.map(|name| (name.to_owned(), root().join(format!("benches/programs/{name}.kal"))));
    let fib = [10, 17, 22, 26, 28, 30, 32, 34, 36].map(|n| {
        let text = format!("def fib(n) if n < 2 then n else fib(n-1) + fib(n-2);\nfib({n});\n");
        generated(&format!("fib {n}"), &text)
    });
    let mixed = [-6, -4, -2, 0, 1, 2, 3].map(|power| {
        let scale = 4_f64.powi(power);
        generated(&format!("mixed {scale:.5}"), &generate::mixed(Language::Kaleidoscope, scale))
    });
    start.into_iter().chain(fib).chain(mixed).collect()
}

fn generated(name: &str, text: &str) -> (String, PathBuf) {
    let folder = target_dir().join("peers/generated");
    let file = folder.join(format!("builds-{}.kal", name.replace(' ', "-")));
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&file, text))
        .expect("the target folder can be written");
    (name.to_owned(), file)
}

/// Runs both builds. The second to run finds the processor's caches as the first left them, so they
/// take turns to be the first.
fn run_both(round: usize, ours: &Path, other: &Path, file: &Path) -> (Cost, Cost) {
    if round.is_multiple_of(2) {
        let now = run(ours, file);
        (now, run(other, file))
    } else {
        let before = run(other, file);
        (run(ours, file), before)
    }
}

fn run(command: &Path, file: &Path) -> Cost {
    let run = process::run(Command::new(command).arg("run").arg(file));
    let (cost, status) = run.unwrap_or_else(|error| peer::end(&format!("{}: {error}", command.display())));
    assert!(status.success(), "{} {}: {status}", command.display(), file.display());
    cost
}
