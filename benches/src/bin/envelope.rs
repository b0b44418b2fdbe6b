//! Is tiered mode never much slower than the better of its two parts?
//!
//! Recursive Fibonacci and the mixed program of `cargo xtask compare`, over growing work, from microseconds to two seconds: our
//! command in tiered mode, with quick code alone (`--jit baseline`), and with everything made well at its first call (`--jit lazy
//! -O3`), whole processes in turns. At each size tiered is compared, round by round, with whichever of the two has the lower
//! median there. Goal: at most 1.15 times as slow at any size, by the wall clock, which is what a person waits. Making
//! better code takes another processor's time meanwhile: it is given beside. A mode that takes more than twice as long as another is left
//! out after 12 rounds.
//!
//! `--rounds N` for more or fewer than 12; `--only fib` or `--only mixed`. With `--record` goes to `benches/record/envelope.csv`
//! and `envelope.svg`.

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

/// Tiered first, then what it is made of.
const MODES: &[(&str, &[&str])] = &[
    ("tiered", &["--jit", "tiered"]),
    ("baseline", &["--jit", "baseline"]),
    ("lazy -O3", &["--jit", "lazy", "-O3"]),
];

/// Rounds in which all modes run, whatever they take.
const ROUNDS_OF_ALL: usize = 12;

/// The most that tiered may take, as a multiple of the better one.
const BOUND: f64 = 1.15;

/// A program, the name of what grows, and the sizes.
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
    if record::is_asked() {
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

/// A time by its name.
type Clock = (&'static str, fn(&Cost) -> Duration);

/// Both times.
const CLOCKS: &[Clock] = &[("wall", |cost| cost.wall), ("processor", |cost| cost.processor)];

/// What one size took, for each mode round by round.
struct Point {
    size: f64,
    runs: Vec<Vec<Cost>>,
}

impl Point {
    /// Measures and prints.
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

    /// Whether the mode is tiered, or may be the better one of the others.
    fn matters(&self, mode: usize) -> bool {
        let wall = CLOCKS[0].1;
        mode == 0 || self.millis(mode, wall) < 2.0 * self.millis(1, wall).min(self.millis(2, wall))
    }

    /// The median time of a mode.
    fn millis(&self, mode: usize, of: fn(&Cost) -> Duration) -> f64 {
        median(self.runs[mode].iter().map(of)).as_secs_f64() * 1e3
    }

    /// The time of tiered over that of the better one: lower quartile, median, upper quartile.
    fn ratio(&self, of: fn(&Cost) -> Duration) -> [f64; 3] {
        let better = if self.millis(1, of) < self.millis(2, of) { 1 } else { 2 };
        let rounds = self.runs[0].iter().zip(&self.runs[better]);
        quartiles(
            rounds.map(|(tiered, better)| of(tiered).as_secs_f64() / of(better).as_secs_f64()).collect(),
        )
    }

    /// Its line of the record.
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

/// The times, and beside them those of tiered and its parts as multiples of the better part.
fn draw<'a>(name: &str, grows: &'a str, points: &[Point]) -> [Chart<'a>; 2] {
    let wall = CLOCKS[0].1;
    // Calls of Fibonacci's function grow by the golden ratio.
    let work = |point: &Point| if name == "fib" { 1.618_f64.powf(point.size) } else { point.size };
    let lines = |of: &dyn Fn(usize, &Point) -> f64| {
        let line = |(mode, (name, _)): (usize, &(&'static str, &[&str]))| Line {
            name,
            points: points.iter().map(|point| (work(point), of(mode, point))).collect(),
        };
        MODES.iter().enumerate().map(line).collect()
    };
    let better = |point: &Point| point.millis(1, wall).min(point.millis(2, wall));
    let times = lines(&|mode, point| point.millis(mode, wall));
    let ratios = lines(&|mode, point| point.millis(mode, wall) / better(point));
    [
        Chart {
            title: format!("{name}: the whole process"),
            x_label: grows,
            y_label: "ms",
            lines: times,
            bound: None,
        },
        Chart {
            title: format!("{name}: over the better of the two"),
            x_label: grows,
            y_label: "times as slow",
            lines: ratios,
            bound: Some(BOUND),
        },
    ]
}
