//! How fast does compiled code run?
//!
//! Our command in lazy mode at -O2 beside the chapter 7 program of LLVM's tutorial, on the same programs, whole processes,
//! turn and turn about.

use kaleidoscope_benches::timing::{Pairs, millis};
use kaleidoscope_benches::{peer, record};

const N_PAIRS: usize = 7;

fn main() {
    let (ours, theirs) = (peer::kaleidoscope(), peer::chapter7());
    let mut lines = Vec::new();
    println!("wall time of the whole process, median of {N_PAIRS} pairs; ratio with its quartiles");
    for program in ["fib", "mandelbrot"] {
        let input = peer::root().join(format!("benches/programs/{program}.kal"));
        let pairs = Pairs::measure(
            N_PAIRS,
            || peer::run_with_input(&ours, &["run", "--jit", "lazy", "-O2"], &input),
            || peer::run_with_input(&theirs, &[], &input),
        );
        let [low, ratio, high] = pairs.ratio();
        println!(
            "  {program:<11} ours {:>9} ms   chapter 7 {:>9} ms   ratio {ratio:.3} ({low:.3} to {high:.3})",
            millis(pairs.ours()),
            millis(pairs.theirs()),
        );
        lines.push(format!("{program},{},{},{ratio:.3}", millis(pairs.ours()), millis(pairs.theirs())));
    }
    record::add("peak", "program,ours_ms,chapter7_ms,ratio", &lines);
}
