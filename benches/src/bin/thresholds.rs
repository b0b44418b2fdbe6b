//! Which tier-up thresholds are best?
//!
//! Runs programs of several sizes in tiered mode and varies one threshold at a time: calls, on
//! recursive Fibonacci and the mixed program of `cargo xtask compare`; back edges, on the mixed
//! program and on one loop. The runs are processes that alternate: each runs this program with an
//! engine of its own. For each size, the time with a threshold is divided by the shortest time
//! with any threshold. Prints the geometric mean and the worst of these ratios. The default
//! thresholds in `crates/kaleidoscope-jit/src/policy.rs` come from them.
//!
//! Then measures the cost of counters: the same programs with thresholds that are never reached,
//! relative to baseline code without counters (mode `baseline`).
//!
//! `--rounds N` changes the number of rounds from 5.

use kaleidoscope::{Engine, Mode, OutputBuffer, Thresholds};
use kaleidoscope_benches::generate::{self, Language};
use kaleidoscope_benches::peer::target_dir;
use kaleidoscope_benches::process::{self, Cost};
use kaleidoscope_benches::timing::{median, order, quartiles};
use kaleidoscope_benches::{arguments, record};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

const TRIED: &[u32] = &[100, 1_000, 10_000, 30_000, 60_000, 100_000, 200_000, 600_000, 1_000_000, 3_000_000];

const NEVER: Thresholds = Thresholds { calls: u32::MAX, back_edges: u32::MAX, delay: Duration::ZERO };

fn main() {
    if let Some(file) = arguments::option("--file") {
        return run_alone(Path::new(&file));
    }
    let fib = cases("fib", &[18.0, 22.0, 26.0, 30.0, 34.0], fib);
    let mixed =
        cases("mixed", &[0.03, 0.25, 2.0, 16.0, 64.0], |n| generate::mixed(Language::Kaleidoscope, n));
    let count = cases("loop", &[1e4, 1e5, 1e6, 1e7, 1e8], count);
    let usual = Thresholds::default();
    let mut lines = sweep("calls", &[&fib, &mixed], |calls| Thresholds { calls, ..usual });
    lines.extend(sweep("back_edges", &[&count, &mixed], |back_edges| Thresholds { back_edges, ..usual }));
    lines.extend(counting(&[&fib, &mixed, &count]));
    record::add(
        "thresholds",
        "varied,threshold,program,size,wall_ms,processor_ms,wall_ratio,processor_ratio",
        &lines,
    );
}

/// A program of one size.
struct Case {
    program: &'static str,
    size: f64,
    file: PathBuf,
}

fn cases(program: &'static str, sizes: &[f64], text: fn(f64) -> String) -> Vec<Case> {
    let folder = target_dir().join("peers/generated");
    let case = |&size: &f64| {
        let file = folder.join(format!("thresholds-{program}-{size}.kal"));
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, text(size)));
        written.expect("the target folder can be written");
        Case { program, size, file }
    };
    sizes.iter().map(case).collect()
}

fn fib(n: f64) -> String {
    format!("def fib(n) if n < 2 then n else fib(n-1) + fib(n-2);\nfib({n});\n")
}

fn count(n: f64) -> String {
    format!("def count(n) var s = 0 in (for i = 1, i < n in s = s + i * 0.5) + s;\ncount({n});\n")
}

/// Runs as a child of this program: runs a file with the thresholds and the mode of its arguments.
fn run_alone(file: &Path) {
    let number = |name| arguments::number(name).expect("the parent gives both thresholds");
    let thresholds =
        Thresholds { calls: number("--calls"), back_edges: number("--back-edges"), ..Thresholds::default() };
    let name = arguments::option("--mode").expect("the parent gives a mode");
    let mode = mode(&name).expect("the parent gives an existing mode");
    let text = fs::read_to_string(file).expect("the parent has written the file");
    let builder = Engine::builder().mode(mode).thresholds(thresholds).output(OutputBuffer::default());
    let engine = builder.build().expect("an engine can be made");
    assert_eq!(engine.run(&text).values().count(), 1);
}

fn mode(name: &str) -> Option<Mode> {
    Mode::ALL.iter().copied().find(|mode| mode.name() == name)
}

/// Runs the settings alternately and returns the costs of their runs.
fn measure(case: &Case, settings: &[(Mode, Thresholds)]) -> Vec<Vec<Cost>> {
    let itself = env::current_exe().expect("this program has a path");
    let mut runs = vec![Vec::new(); settings.len()];
    for round in 0..arguments::number("--rounds").unwrap_or(5) {
        for nth in order(round, settings.len()) {
            let (mode, thresholds) = settings[nth];
            let mut command = Command::new(&itself);
            command.arg("--file").arg(&case.file).args(["--mode", mode.name()]);
            command.args([
                "--calls",
                &thresholds.calls.to_string(),
                "--back-edges",
                &thresholds.back_edges.to_string(),
            ]);
            let (cost, status) = process::run(&mut command).expect("this program can be started");
            assert!(status.success(), "{}: {status}", case.file.display());
            runs[nth].push(cost);
        }
    }
    runs
}

/// Returns the median wall and processor times in milliseconds.
fn millis(runs: &[Cost]) -> [f64; 2] {
    [median(runs.iter().map(|cost| cost.wall)), median(runs.iter().map(|cost| cost.processor))]
        .map(|time| time.as_secs_f64() * 1e3)
}

/// Tries thresholds, prints their ratios and returns the lines of the record.
fn sweep(varied: &str, programs: &[&[Case]], of: impl Fn(u32) -> Thresholds) -> Vec<String> {
    let settings: Vec<_> = TRIED.iter().map(|&tried| (Mode::Tiered, of(tried))).collect();
    let mut lines = Vec::new();
    let mut ratios = vec![Vec::new(); TRIED.len()];
    for case in programs.iter().copied().flatten() {
        let times: Vec<[f64; 2]> = measure(case, &settings).iter().map(|runs| millis(runs)).collect();
        let least = [0, 1].map(|clock| times.iter().map(|time| time[clock]).fold(f64::INFINITY, f64::min));
        for ((tried, [wall, processor]), ratios) in TRIED.iter().zip(&times).zip(&mut ratios) {
            let ratio = [wall / least[0], processor / least[1]];
            let head = format!("{varied},{tried},{},{}", case.program, case.size);
            lines.push(format!("{head},{wall:.3},{processor:.3},{:.3},{:.3}", ratio[0], ratio[1]));
            ratios.push(ratio);
        }
    }
    println!("{varied}: ratio to the best for each size, mean and worst, by wall and processor time");
    for (tried, ratios) in TRIED.iter().zip(&ratios) {
        print!("  {tried:>7}");
        for clock in [0, 1] {
            let mean = ratios.iter().map(|ratio| ratio[clock].ln()).sum::<f64>() / ratios.len() as f64;
            let worst = ratios.iter().map(|ratio| ratio[clock]).fold(0.0, f64::max);
            print!("   {:.3} {worst:.3}", mean.exp());
        }
        println!();
    }
    lines
}

/// Measures the cost of counters.
fn counting(programs: &[&[Case]]) -> Vec<String> {
    let Some(plain) = mode("baseline") else { return Vec::new() };
    let mut lines = Vec::new();
    println!(
        "counting: baseline code with counters relative to without, lower quartile, median, upper quartile"
    );
    for case in programs.iter().filter_map(|cases| cases.last()) {
        let runs = measure(case, &[(Mode::Tiered, NEVER), (plain, NEVER)]);
        let ratio = |of: fn(&Cost) -> f64| {
            quartiles(runs[0].iter().zip(&runs[1]).map(|(counts, plain)| of(counts) / of(plain)).collect())
        };
        let wall = ratio(|cost| cost.wall.as_secs_f64());
        let processor = ratio(|cost| cost.processor.as_secs_f64());
        let [low, middle, high] = processor;
        println!("  {:<6} {:>10}   {middle:.3} ({low:.3} to {high:.3})", case.program, case.size);
        let [wall_ms, processor_ms] = millis(&runs[0]);
        let head = format!("counting,never,{},{}", case.program, case.size);
        lines.push(format!("{head},{wall_ms:.3},{processor_ms:.3},{:.3},{middle:.3}", wall[1]));
    }
    lines
}
