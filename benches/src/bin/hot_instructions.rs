//! How many instructions does optimized code execute?
//!
//! Runs the programs of `benches/programs` with less work, in an engine where everything is hot at
//! once. When all that the program calls is optimized, it runs once more, and
//! `valgrind --tool=callgrind` counts this run alone. So the number does not depend on when code
//! was optimized, nor on other processes. Recorded before and after a change, it says what the
//! change costs in hot code.
//!
//! `--only NAME` runs one program.

use kaleidoscope::{CodeName, Engine, Event, Function, Mode, Observer, Thresholds, Tier};
use kaleidoscope_benches::arguments::option;
use kaleidoscope_benches::peer::root;
use kaleidoscope_benches::record;
use std::collections::HashSet;
use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Programs, each with an expression in the place of its last one.
const PROGRAMS: &[(&str, &str)] = &[
    ("fib", "fib(25)"),
    ("mandelbrot", "mandelbrot(0-2.3, 0.032, 0-1.3, 0.026, 99)"),
    ("integrate", "integrate(0, 1, 200000)"),
    ("loop", "var sum = 0 in (for i = 0, i < 99999 in sum = sum + i * 0.5) + sum"),
    ("collatz", "lengths(5000)"),
    ("collatz_fmod", "lengths(5000)"),
    ("ackermann", "ackermann(3, 6)"),
    ("tak", "tak(18, 12, 6)"),
    ("primes", "count(20000)"),
    ("logic", "count(300)"),
    ("pendulum", "swing(1, 0, 20000, 1)"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, program, expression] = &arguments[..]
        && flag == "--run"
    {
        return run(program, expression);
    }
    let only = option("--only");
    let mut lines = Vec::new();
    let is_wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    for (name, expression) in PROGRAMS.iter().filter(|(name, _)| is_wanted(name)) {
        let n = instructions(name, expression);
        println!("  {name:<14} {n:>12} instructions");
        lines.push(format!("{name},{n}"));
    }
    record::add("hot_instructions", "program,instructions", &lines);
}

/// The instructions of one run of the program.
fn instructions(program: &str, expression: &str) -> u64 {
    let this = std::env::current_exe().expect("this program has a path");
    let output = Command::new("valgrind")
        // Code memory is reused: Valgrind must translate it again each time.
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--smc-check=all"])
        .args(["--collect-atstart=no", "--toggle-collect=*counted_run*"])
        .arg(this)
        .args(["--run", program, expression])
        .output()
        .expect("valgrind is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let collected = text.lines().find_map(|line| line.split_once("Collected : "));
    let (_, n) = collected.expect("callgrind prints what it collected");
    n.trim().parse().expect("a number of instructions")
}

/// Runs the program until everything in it is optimized, and then once more.
fn run(program: &str, expression: &str) {
    let path = root().join(format!("benches/programs/{program}.kal"));
    let text = fs::read_to_string(path).expect("the program is there");
    let (definitions, _) = text.trim_end().rsplit_once('\n').expect("the expression has a line of its own");
    let tier_ups = Arc::new(TierUps::default());
    let builder = Engine::builder().mode(Mode::Tiered).observer(Arc::clone(&tier_ups));
    let thresholds = Thresholds { calls: 0, back_edges: 0, delay: Duration::ZERO };
    let engine = builder.thresholds(thresholds).build().expect("an engine can be made");
    engine.run(definitions).ok().expect("the text is correct");
    engine.run(&format!("def counted() {expression}")).ok().expect("the text is correct");
    let counted = engine.function::<()>("counted").expect("the program is right");
    let began = Instant::now();
    let mut n_settled = 0;
    while n_settled < 3 {
        counted.call(()).expect("the program ends");
        n_settled = if tier_ups.are_done() { n_settled + 1 } else { 0 };
        assert!(began.elapsed() < Duration::from_secs(120), "everything hot is optimized");
    }
    black_box(counted_run(&counted));
}

/// Callgrind counts what happens in here.
#[inline(never)]
fn counted_run(counted: &Function<()>) -> f64 {
    counted.call(()).expect("the program ends")
}

/// What is hot and not optimized yet.
#[derive(Default)]
struct TierUps(Mutex<HashSet<(CodeName, Option<usize>)>>);

impl TierUps {
    fn are_done(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Observer for TierUps {
    fn observe(&self, event: &Event) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Hot { code, osr_loop } => {
                waiting.insert((code.clone(), *osr_loop));
            }
            Event::Compiled { code, osr_loop, tier: Tier::Optimized, .. } => {
                waiting.remove(&(code.clone(), *osr_loop));
            }
            Event::CompileFailed { .. } => waiting.clear(),
            _ => {}
        }
    }
}
