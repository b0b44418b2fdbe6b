//! How fast is a hot program, including start-up and compiling?
//!
//! Runs the programs of `benches/programs`, each about a second of work, in our command in tiered
//! mode: baseline code first, optimized code from the background. Compares them with the same
//! programs in C with doubles, compiled by gcc and clang with `-O3 -march=native
//! -ffp-contract=off`, and Mandelbrot also with the chapter 7 program of LLVM's tutorial. Compares
//! the processor time of whole processes on all threads. Goal: at most 1.1 times the faster C
//! program.
//!
//! `--before PATH` compares with another build of our command instead, and `--jit MODE` runs both
//! in another mode: with `baseline`, that is the speed of baseline code.
//!
//! `--only NAME` runs one program, `--rounds N` changes the number of rounds.

use kaleidoscope_benches::arguments::{number, option};
use kaleidoscope_benches::hot_programs::{COMPILERS, PROGRAMS, best_times, program};
use kaleidoscope_benches::peer::{self, c_program, root};
use kaleidoscope_benches::record;
use kaleidoscope_benches::timing::millis;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The arrays that programs use, as arguments of our command.
const ARRAYS: &[(&str, &[&str])] = &[("spectral_norm", &["u=4000", "v=4000", "t=4000"])];

/// Programs that the chapter 7 program also runs.
const IN_CHAPTER_7: &[&str] = &["mandelbrot"];

fn main() {
    let n_rounds = number("--rounds").unwrap_or(5);
    let (only, before) = (option("--only"), option("--before"));
    let mode = option("--jit").unwrap_or_else(|| "tiered".to_owned());
    let ours = peer::kaleidoscope();
    println!(
        "processor time of the whole process in ms, the shortest of {n_rounds}; C is the faster of the two"
    );
    let in_mode = |command: &Path, name: &str, program: &Path| {
        let mut run = Command::new(command);
        run.args(["run", "--jit", &mode]).arg(program);
        let arrays = ARRAYS.iter().filter(|(other, _)| *other == name);
        for array in arrays.flat_map(|(_, arrays)| *arrays) {
            run.args(["--array", array]);
        }
        run
    };
    let mut lines = Vec::new();
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    for (name, input) in PROGRAMS.iter().filter(|(name, _)| wanted(name)) {
        let program = program(name);
        let mut all = vec![("ours", in_mode(&ours, name, &program))];
        if let Some(before) = &before {
            all.push(("before", in_mode(Path::new(before), name, &program)));
            let best = best_times(n_rounds, &mut all, &program);
            let ratio = best[0].as_secs_f64() / best[1].as_secs_f64();
            let [ours, before] = [best[0], best[1]].map(millis);
            println!("{name:<13} ours {ours:>9}  before {before:>9}  ratio {ratio:.3}");
            lines.push(format!("{name},before ({mode}),{ours},{before},{ratio:.3}"));
            continue;
        }
        for compiler in COMPILERS {
            if let Some(peer) = c_program(compiler, &root().join(format!("benches/programs/{name}.c"))) {
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
