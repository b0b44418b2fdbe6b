//! Is tiered mode ever much slower than the faster of its two tiers alone?
//!
//! Runs recursive Fibonacci and the mixed program of `cargo xtask compare` with growing work, from
//! microseconds to two seconds. Our command runs in tiered mode, with baseline code alone (`--jit
//! baseline`), and with optimized code from the first call (`--jit lazy -O3`), as whole processes
//! that alternate. At each size tiered mode is compared, round by round, with the mode that has
//! the lower median of the other two. Goal: at most 1.15 times its wall time at any size.
//! Optimizing takes time of another processor meanwhile, so processor times are printed too. A
//! mode that takes more than twice as long as another is skipped after 12 rounds.
//!
//! `--rounds N` changes the number of rounds from 12. `--only fib` or `--only mixed` runs one
//! program. `--record` writes `benches/record/envelope.csv` and `envelope.svg`.

use kaleidoscope_benches::generate::{self, Language};
use kaleidoscope_benches::peer::{self, root, target_dir};
use kaleidoscope_benches::plot::{Chart, Line, svg};
use kaleidoscope_benches::process::{self, Cost};
use kaleidoscope_benches::timing::{median, order, quartiles};
use kaleidoscope_benches::{arguments, record};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Tiered mode first, then its two tiers alone.
const MODES: &[(&str, &[&str])] = &[
    ("tiered", &["--jit", "tiered"]),
    ("baseline", &["--jit", "baseline"]),
    ("lazy -O3", &["--jit", "lazy", "-O3"]),
];

/// Rounds in which all modes run.
const ROUNDS_OF_ALL: usize = 12;

/// The most time of tiered mode, as a multiple of the faster tier alone.
const BOUND: f64 = 1.15;

/// A program: its name, the label of its size, its text and the sizes.
type Program = (&'static str, &'static str, fn(f64) -> String, Vec<f64>);

fn main() {
    let programs: [Program; 2] = [
        (
            "fib",
            "calls",
            fib,
            [1, 5, 10, 14, 17, 20, 22, 24, 26]
                .into_iter()
                .chain(27..=34)
                .chain([36, 38, 40])
                .map(f64::from)
                .collect(),
        ),
        (
            "mixed",
            "scale",
            mixed,
            (-8..0).map(|power| 4_f64.powi(power)).chain((0..=8).map(|power| 2_f64.powi(power))).collect(),
        ),
    ];
    let only = arguments::option("--only");
    let command = peer::kaleidoscope();
    let mut charts = Vec::new();
    let mut lines = Vec::new();
    for (name, grows, text, sizes) in programs {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let measure = |size| Point::measure(&command, name, size, &text(size));
        let points: Vec<Point> = sizes.into_iter().map(measure).collect();
        for (clock, of) in CLOCKS {
            let worst = points.iter().map(|point| point.ratio(*of)[1]).fold(0.0, f64::max);
            println!("{name}: worst ratio by {clock} time {worst:.3}");
        }
        charts.extend(draw(name, grows, &points));
        lines.extend(points.iter().map(|point| point.line(name)));
    }
    let columns =
        MODES.iter().map(|(mode, _)| format!("{0}_wall_ms,{0}_processor_ms", mode.replace(" -", "_")));
    let columns = columns.collect::<Vec<_>>().join(",");
    let columns = format!(
        "program,size,rounds,{columns},wall_low,wall_ratio,wall_high,processor_low,processor_ratio,processor_high"
    );
    record::add("envelope", &columns, &lines);
    if record::is_requested() {
        fs::write(root().join("benches/record/envelope.svg"), svg(&charts))
            .expect("benches/record can be written");
    }
}

fn fib(n: f64) -> String {
    format!("def fib(n) if n < 2 then n else fib(n-1) + fib(n-2);\nfib({n});\n")
}

fn mixed(scale: f64) -> String {
    generate::mixed(Language::Kaleidoscope, scale)
}

/// A kind of time, by its name.
type Clock = (&'static str, fn(&Cost) -> Duration);

/// Both kinds of time.
const CLOCKS: &[Clock] = &[("wall", |cost| cost.wall), ("processor", |cost| cost.processor)];

/// Costs of one size, for each mode and round.
struct Point {
    size: f64,
    runs: Vec<Vec<Cost>>,
}

impl Point {
    /// Measures and prints the costs of one size.
    fn measure(command: &Path, name: &str, size: f64, text: &str) -> Self {
        let folder = target_dir().join("peers/generated");
        let file = folder.join(format!("envelope-{name}.kal"));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&file, text))
            .expect("the target folder can be written");
        let mut point = Self { size, runs: vec![Vec::new(); MODES.len()] };
        let mut all_matter = [true; MODES.len()];
        for round in 0..arguments::number("--rounds").unwrap_or(ROUNDS_OF_ALL) {
            if round == ROUNDS_OF_ALL {
                all_matter = std::array::from_fn(|mode| point.matters(mode));
            }
            for mode in order(round, MODES.len()) {
                if all_matter[mode] {
                    point.runs[mode].push(run(command, MODES[mode].1, &file));
                }
            }
        }
        print!("{name:<6} {size:>12}");
        for (clock, of) in CLOCKS {
            let [low, ratio, high] = point.ratio(*of);
            let times: Vec<String> =
                (0..MODES.len()).map(|mode| format!("{:>9.3}", point.millis(mode, *of))).collect();
            print!("   {clock} {} ms, ratio {ratio:.3} ({low:.3} to {high:.3})", times.join(" "));
        }
        println!();
        point
    }

    /// Returns whether the mode is tiered or can be the faster of the others.
    fn matters(&self, mode: usize) -> bool {
        let wall = CLOCKS[0].1;
        mode == 0 || self.millis(mode, wall) < 2.0 * self.millis(1, wall).min(self.millis(2, wall))
    }

    /// Returns the median time of a mode.
    fn millis(&self, mode: usize, of: fn(&Cost) -> Duration) -> f64 {
        median(self.runs[mode].iter().map(of)).as_secs_f64() * 1e3
    }

    /// Returns the ratio of tiered to the faster of the others: lower quartile, median, upper
    /// quartile.
    fn ratio(&self, of: fn(&Cost) -> Duration) -> [f64; 3] {
        let faster = if self.millis(1, of) < self.millis(2, of) { 1 } else { 2 };
        let rounds = self.runs[0].iter().zip(&self.runs[faster]);
        quartiles(
            rounds.map(|(tiered, faster)| of(tiered).as_secs_f64() / of(faster).as_secs_f64()).collect(),
        )
    }

    /// Returns the line of the record.
    fn line(&self, name: &str) -> String {
        let mut line = format!("{name},{},{}", self.size, self.runs[0].len());
        for mode in 0..MODES.len() {
            for (_, of) in CLOCKS {
                line += &format!(",{:.3}", self.millis(mode, *of));
            }
        }
        for (_, of) in CLOCKS {
            let [low, ratio, high] = self.ratio(*of);
            line += &format!(",{low:.3},{ratio:.3},{high:.3}");
        }
        line
    }
}

fn run(command: &Path, args: &[&str], file: &Path) -> Cost {
    let (cost, status) =
        process::run(Command::new(command).arg("run").args(args).arg(file)).expect("the command was built");
    assert!(status.success(), "{} {}: {status}", args.join(" "), file.display());
    cost
}

/// Draws the times, and the times as multiples of the faster tier alone.
fn draw<'a>(name: &str, grows: &'a str, points: &[Point]) -> [Chart<'a>; 2] {
    let wall = CLOCKS[0].1;
    // The calls of the Fibonacci function grow by the golden ratio.
    let work = |point: &Point| if name == "fib" { 1.618_f64.powf(point.size) } else { point.size };
    let lines = |of: &dyn Fn(usize, &Point) -> f64| {
        let line = |(mode, (name, _)): (usize, &(&'static str, &[&str]))| Line {
            name,
            points: points.iter().map(|point| (work(point), of(mode, point))).collect(),
        };
        MODES.iter().enumerate().map(line).collect()
    };
    let faster = |point: &Point| point.millis(1, wall).min(point.millis(2, wall));
    let times = lines(&|mode, point| point.millis(mode, wall));
    let ratios = lines(&|mode, point| point.millis(mode, wall) / faster(point));
    [
        Chart {
            title: format!("{name}: the whole process"),
            x_label: grows,
            y_label: "ms",
            lines: times,
            bound: None,
        },
        Chart {
            title: format!("{name}: relative to the faster of the two"),
            x_label: grows,
            y_label: "times as slow",
            lines: ratios,
            bound: Some(BOUND),
        },
    ]
}
