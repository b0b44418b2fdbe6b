//! How fast is hot code, all things counted in?
//!
//! The programs of `benches/hot`, each about a second of work, run by our command in tiered mode: quick code first, better
//! code in the background. Beside them the same in C with doubles, compiled by gcc and clang with `-O3 -march=native
//! -ffp-contract=off`, and for Mandelbrot the chapter 7 program of LLVM's tutorial. What is compared is what whole processes
//! take of the processor, on all threads, start-up and compiling included; the goal is 1.1 of the faster C program at most.
//!
//! `--only NAME` runs one program, `--rounds N` each so often.

use kaleidoscope_benches::arguments::{number, option};
use kaleidoscope_benches::peer::{self, c_program, root};
use kaleidoscope_benches::record;
use kaleidoscope_benches::timing::{millis, processor_time};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Programs, and what their peers in C are run with.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("fib", &["43"]),
    ("mandelbrot", &["-2.3", "0.00128", "-1.3", "0.00104"]),
    ("integrate", &["0", "1", "4e8"]),
    ("loop", &["1e9"]),
    ("collatz", &["2.5e6"]),
    ("collatz_fmod", &["2.5e6"]),
    ("ackermann", &["3", "12"]),
    ("tak", &["33", "22", "11"]),
    ("primes", &["8e6"]),
    ("logic", &["18000"]),
    ("pendulum", &["1", "0", "4e7", "1"]),
];

/// The programs that the chapter 7 program runs as well.
const IN_CHAPTER_7: &[&str] = &["mandelbrot"];

const COMPILERS: &[&str] = &["gcc", "clang-22"];

fn main() {
    let n_rounds = number("--rounds").unwrap_or(5);
    let only = option("--only");
    let ours = peer::kaleidoscope();
    println!(
        "processor time of the whole process in ms, the shortest of {n_rounds}; C is the faster of the two"
    );
    let mut lines = Vec::new();
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    for (name, input) in PROGRAMS.iter().filter(|(name, _)| wanted(name)) {
        let program = root().join(format!("benches/hot/{name}.kal"));
        let mut tiered = Command::new(&ours);
        tiered.args(["run", "--jit", "tiered"]).arg(&program);
        let mut all = vec![("ours", tiered)];
        for compiler in COMPILERS {
            if let Some(peer) = c_program(compiler, &root().join(format!("benches/hot/{name}.c"))) {
                let mut command = Command::new(peer);
                command.args(*input);
                all.push((compiler, command));
            }
        }
        let n_c = all.len() - 1;
        if IN_CHAPTER_7.contains(name) {
            all.push(("chapter 7", Command::new(peer::chapter7())));
        }
        let best = best_times(n_rounds, &mut all, &program);
        print!("{name:<13}");
        for ((who, _), time) in all.iter().zip(&best) {
            print!(" {who} {:>9} ", millis(*time));
        }
        println!();
        let mut compare = |peer: &str, theirs: Duration| {
            let ratio = best[0].as_secs_f64() / theirs.as_secs_f64();
            println!("{:13} ratio to {peer} {ratio:.3}", "");
            lines.push(format!("{name},{peer},{},{},{ratio:.3}", millis(best[0]), millis(theirs)));
        };
        if let Some(faster) = best[1..=n_c].iter().min() {
            compare("C", *faster);
        }
        if let Some(chapter7) = best.get(n_c + 1) {
            compare("chapter 7", *chapter7);
        }
    }
    record::add("hot_code", "program,peer,ours_ms,peer_ms,ratio", &lines);
}

/// The shortest time of each, turn and turn about: all do the same each time, and what disturbs a run only adds to it.
fn best_times(n_rounds: usize, all: &mut [(&str, Command)], program: &Path) -> Vec<Duration> {
    let mut best = vec![Duration::MAX; all.len()];
    for _ in 0..n_rounds {
        let mut first_value = None;
        for ((who, command), best) in all.iter_mut().zip(&mut best) {
            let mut value = None;
            let time = processor_time(&mut || value = value_of(command, program));
            *best = time.min(*best);
            assert!(value.is_some(), "{who} prints no number for {}", program.display());
            if *who != "chapter 7" {
                assert_eq!(value, *first_value.get_or_insert(value), "{who} computes something else");
            }
        }
    }
    best
}

/// The last number that a process prints. It finds the program on standard input if it looks there.
fn value_of(command: &mut Command, program: &Path) -> Option<f64> {
    let text = std::fs::File::open(program).expect("the program is there");
    let output = command.stdin(text).stderr(Stdio::piped()).output().expect("it was compiled");
    // The chapter 7 program prints its values, among prompts, on standard error.
    let printed = [output.stderr, output.stdout].concat();
    let printed = String::from_utf8_lossy(&printed);
    printed.split_ascii_whitespace().rev().find_map(|word| word.parse().ok())
}
