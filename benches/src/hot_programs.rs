//! Hot programs: about a second of work each, with the same programs in C.

use crate::peer::{root, target_dir};
use crate::timing::processor_time;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Programs, and the arguments of their C peers.
pub const PROGRAMS: &[(&str, &[&str])] = &[
    ("fib", &["43"]),
    ("mandelbrot", &["-2.3", "0.00128", "-1.3", "0.00104", "2499"]),
    ("integrate", &["0", "1", "4e8"]),
    ("loop", &["1e9"]),
    ("collatz", &["2.5e6"]),
    ("collatz_fmod", &["2.5e6"]),
    ("ackermann", &["3", "12"]),
    ("tak", &["33", "22", "11"]),
    ("primes", &["8e6"]),
    ("logic", &["18000"]),
    ("pendulum", &["1", "0", "4e7", "1"]),
    ("nbody", &["2e7", "0.01"]),
    ("spectral_norm", &["4000"]),
];

/// Programs that other benchmarks run with less work, and their last expression here.
const EXPRESSIONS: &[(&str, &str)] =
    &[("fib", "fib(43);"), ("mandelbrot", "mandelbrot(0-2.3, 0.00128, 0-1.3, 0.00104, 2499);")];

/// The C compilers.
pub const COMPILERS: &[&str] = &["gcc", "clang-22"];

/// Returns the file with the program. Some have more work here than in their own file.
///
/// # Panics
/// If the file cannot be written.
pub fn program(name: &str) -> PathBuf {
    let file = root().join(format!("benches/programs/{name}.kal"));
    let Some((_, expression)) = EXPRESSIONS.iter().find(|(other, _)| *other == name) else { return file };
    let text = fs::read_to_string(&file).expect("the program exists");
    let (definitions, _) = text.trim_end().rsplit_once('\n').expect("the last line is the expression");
    let folder = target_dir().join("peers/generated");
    let generated = folder.join(format!("hot-{name}.kal"));
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&generated, format!("{definitions}\n{expression}\n")))
        .expect("the target folder can be written");
    generated
}

/// Runs all alternately and returns the shortest time of each. The shortest time is the least
/// disturbed: each run does the same work, and noise only adds time.
///
/// # Panics
/// If two compute different values.
pub fn best_times(n_rounds: usize, all: &mut [(&str, Command)], program: &Path) -> Vec<Duration> {
    let mut best = vec![Duration::MAX; all.len()];
    for _ in 0..n_rounds {
        let mut first_value = None;
        for ((who, command), best) in all.iter_mut().zip(&mut best) {
            let mut value = None;
            let time = processor_time(&mut || value = value_of(command, program));
            *best = time.min(*best);
            assert!(value.is_some(), "{who} prints no number for {}", program.display());
            if *who != "chapter 7" {
                assert_eq!(value, *first_value.get_or_insert(value), "{who} computes another value");
            }
        }
    }
    best
}

/// Returns the last number that a process prints. The program's text is on standard input.
fn value_of(command: &mut Command, program: &Path) -> Option<f64> {
    let text = fs::File::open(program).expect("the program exists");
    let output = command.stdin(text).stderr(Stdio::piped()).output().expect("the program is compiled");
    // The chapter 7 program prints its values, among prompts, on standard error.
    let printed = [output.stderr, output.stdout].concat();
    let printed = String::from_utf8_lossy(&printed);
    printed.split_ascii_whitespace().rev().find_map(|word| word.parse().ok())
}
