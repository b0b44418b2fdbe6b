//! How many instructions does each step in a function's life take?
//!
//! Counts instructions with `valgrind --tool=callgrind`, which gives the same number on a busy
//! machine. The steps are one start of an engine, one definition, one first call, one guarded
//! call, one redefinition and one tier-up. Each figure is the difference between a child process
//! that does the step many times and one that does it fewer times, so one-time work of both does
//! not count.
//!
//! LLVM does nearly all the work of a tier-up. It runs on a compile thread, which callgrind counts
//! too.

use kaleidoscope::{Engine, Event, Mode, Observer, Optimization, Thresholds};
use kaleidoscope_benches::record;
use std::process::Command;
use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;

/// A step: its name, the fewer and the more repetitions, and the function that does it.
type Step = (&'static str, usize, usize, fn(usize));

const STEPS: &[Step] = &[
    ("start", 2, 12, start),
    ("definition", 100, 600, definition),
    ("first_call", 20, 120, first_call),
    ("guarded_call", 1_000, 11_000, guarded_call),
    ("redefinition", 20, 120, redefinition),
    ("tier_up", 2, 6, tier_up),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, step, times] = &arguments[..]
        && flag == "--step"
    {
        let (.., run) = STEPS.iter().find(|(name, ..)| name == step).expect("the name of a step");
        return run(times.parse().expect("a number of times"));
    }
    let mut lines = Vec::new();
    for (name, few, many, _) in STEPS {
        let n = (instructions(name, *many) - instructions(name, *few)) / (many - few) as u64;
        println!("  {name:<14} {n:>12} instructions");
        lines.push(format!("{name},{n}"));
    }
    record::add("instructions", "step,instructions", &lines);
}

/// Returns the instructions of a child process that does the step this many times.
fn instructions(step: &str, times: usize) -> u64 {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new("valgrind")
        // Code memory is reused: Valgrind must translate it again each time.
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--smc-check=all"])
        .arg(program)
        .args(["--step", step, &times.to_string()])
        .output()
        .expect("valgrind is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let collected = text.lines().find_map(|line| line.split_once("Collected : "));
    let (_, n) = collected.expect("callgrind prints what it collected");
    n.trim().parse().expect("a number")
}

fn engine(mode: Mode) -> Engine {
    Engine::builder().mode(mode).build().expect("an engine can be built")
}

/// Defines functions of the same shape under different names.
fn define(engine: &Engine, n: usize) {
    for index in 0..n {
        let text = format!("def f{index}(x y) if x < y then x * {index} + y else (x - y) * sqrt(x + y);");
        assert_eq!(engine.run(&text).diagnostics().count(), 0, "{text}");
    }
}

fn start(times: usize) {
    for _ in 0..times {
        assert_eq!(engine(Mode::Tiered).run("1 + 2;").values().next(), Some(3.0));
    }
}

fn definition(times: usize) {
    define(&engine(Mode::Tiered), times);
}

fn first_call(times: usize) {
    let engine = engine(Mode::Tiered);
    // The number of definitions does not depend on the number of calls.
    define(&engine, 200);
    for index in 0..times {
        let function = engine.function::<(f64, f64)>(&format!("f{index}")).expect("the function is defined");
        function.call((1.0, 2.0)).expect("the call has a value");
    }
}

fn guarded_call(times: usize) {
    let engine = engine(Mode::Tiered);
    define(&engine, 1);
    let function = engine.function::<(f64, f64)>("f0").expect("the function is defined");
    for _ in 0..times {
        function.call((1.0, 2.0)).expect("the call has a value");
    }
}

fn redefinition(times: usize) {
    let engine = engine(Mode::Tiered);
    define(&engine, 1);
    let function = engine.function::<(f64, f64)>("f0").expect("the function is defined");
    for _ in 0..times {
        define(&engine, 1);
        function.call((1.0, 2.0)).expect("the call has a value");
    }
}

/// Observer that sends a message for each optimized code.
struct OptimizedSignal(SyncSender<()>);

impl Observer for OptimizedSignal {
    fn observe(&self, event: &Event) {
        if let Event::Compiled { tier, .. } = event
            && tier.name() == "optimized"
        {
            self.0.send(()).expect("the receiver waits");
        }
    }
}

fn tier_up(times: usize) {
    let (sender, optimized) = mpsc::sync_channel(1);
    let thresholds = Thresholds { calls: 1, delay: Duration::ZERO, ..Thresholds::default() };
    let engine = Engine::builder()
        .mode(Mode::Tiered)
        .thresholds(thresholds)
        .optimization(Optimization::Aggressive)
        .observer(OptimizedSignal(sender))
        .build()
        .expect("an engine can be built");
    define(&engine, 10);
    for index in 0..times {
        let function = engine.function::<(f64, f64)>(&format!("f{index}")).expect("the function is defined");
        // Thresholds scale with size: this many calls trip the counter.
        for _ in 0..10 {
            function.call((1.0, 2.0)).expect("the call has a value");
        }
        optimized.recv().expect("the function tiers up");
    }
}
