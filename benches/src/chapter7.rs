//! Comparison with the chapter 7 program of LLVM's tutorial.

use crate::peer::{chapter7, end, kaleidoscope, root};
use crate::record;
use crate::timing::{Pairs, millis};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs programs of `benches/programs` in our command and in the chapter 7 program, alternately, as
/// whole processes. Prints and records both times.
pub fn compare_with_chapter7(question: &str, programs: &[&str], args: &[&str], n_pairs: usize) {
    let (ours, theirs) = (kaleidoscope(), chapter7());
    let mut lines = Vec::new();
    println!("wall time of the whole process, median of {n_pairs} pairs; ratio with its quartiles");
    for program in programs {
        let input = root().join(format!("benches/programs/{program}.kal"));
        let run_ours = || run_with_input(&ours, args, &input);
        let pairs = Pairs::measure(n_pairs, run_ours, || run_with_input(&theirs, &[], &input));
        let [low, ratio, high] = pairs.ratio();
        let (ours, theirs) = (millis(pairs.ours()), millis(pairs.theirs()));
        println!(
            "  {program:<11} ours {ours:>9} ms   chapter 7 {theirs:>9} ms   ratio {ratio:.3} ({low:.3} to {high:.3})"
        );
        lines.push(format!("{program},{ours},{theirs},{ratio:.3}"));
    }
    record::add(question, "program,ours_ms,chapter7_ms,ratio", &lines);
}

/// Runs the program with the text on standard input and discards its output. Ends this process with
/// a message if the program fails.
fn run_with_input(program: &Path, args: &[&str], input: &Path) {
    let text = fs::File::open(input).unwrap_or_else(|error| end(&format!("{}: {error}", input.display())));
    let status = Command::new(program)
        .args(args)
        .stdin(text)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap_or_else(|error| end(&format!("{}: {error}", program.display())));
    if !status.success() {
        end(&format!("{} failed on {}: {status}", program.display(), input.display()));
    }
}
