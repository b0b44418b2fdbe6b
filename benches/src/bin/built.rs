//! How good are programs that are built ahead of time?
//!
//! - The programs of `hot_code`, built with `-O3 --cpu native`, beside C programs by gcc and clang
//!   with `-O3 -march=native -ffp-contract=off`: processor time of whole processes. Goal: a
//!   geometric mean of at most 1.00 of the faster one.
//! - An executable of two lines without maths beside one in C: its size, and the wall time of a
//!   whole process. Goals: at most 24 KB more, and at most 1.05 of the time.
//!
//! `--only NAME` runs one program, `--rounds N` changes the number of rounds.

use kaleidoscope_benches::arguments::{number, option};
use kaleidoscope_benches::hot_programs::{COMPILERS, PROGRAMS, best_times, program};
use kaleidoscope_benches::peer::{self, c_program, root, target_dir};
use kaleidoscope_benches::record;
use kaleidoscope_benches::timing::{Pairs, millis};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Programs that use arrays, which a built program does not have.
const WITH_ARRAYS: &[&str] = &["spectral_norm"];

fn main() {
    let n_rounds = number("--rounds").unwrap_or(5);
    let only = option("--only");
    let kaleidoscope = peer::kaleidoscope();
    let folder = target_dir().join("peers/built");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let mut lines = Vec::new();
    let mut ratios = Vec::new();
    println!("processor time of the whole process in ms, the shortest of {n_rounds}");
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name) && !WITH_ARRAYS.contains(&name);
    for (name, input) in PROGRAMS.iter().filter(|(name, _)| wanted(name)) {
        let source = program(name);
        let ours = build(&kaleidoscope, &source, &folder.join(name));
        let mut all = vec![("ours", Command::new(ours))];
        for compiler in COMPILERS {
            if let Some(peer) = c_program(compiler, &root().join(format!("benches/programs/{name}.c"))) {
                let mut command = Command::new(peer);
                command.args(*input);
                all.push((compiler, command));
            }
        }
        let best = best_times(n_rounds, &mut all, &source);
        let Some(faster) = best[1..].iter().min() else { continue };
        let ratio = best[0].as_secs_f64() / faster.as_secs_f64();
        ratios.push(ratio);
        let (ours, theirs) = (millis(best[0]), millis(*faster));
        println!("{name:<13} ours {ours:>9}  C {theirs:>9}  ratio {ratio:.3}");
        lines.push(format!("{name},time,{ours},{theirs},{ratio:.3}"));
    }
    if ratios.len() > 1 {
        let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
        println!("geometric mean of the ratios {mean:.3}");
        lines.push(format!("all,geometric mean,,,{mean:.3}"));
    }
    if only.is_none() {
        measure_small_program(&kaleidoscope, &folder, &mut lines);
    }
    record::add("built", "program,what,ours,c,ratio", &lines);
}

/// Builds an executable for this processor.
fn build(kaleidoscope: &Path, source: &Path, output: &Path) -> PathBuf {
    let args = ["build", "-O3", "--cpu", "native"].map(Path::new);
    let built = Command::new(kaleidoscope)
        .args(args)
        .arg(source)
        .arg("-o")
        .arg(output)
        .stderr(Stdio::null())
        .status()
        .expect("the command can be run");
    assert!(built.success(), "{} cannot be built", source.display());
    output.to_owned()
}

/// Compares the size of an executable, and its time from start to end.
fn measure_small_program(kaleidoscope: &Path, folder: &Path, lines: &mut Vec<String>) {
    const OURS: &str = "def f(x) x + 1;\nf(1);\n";
    const THEIRS: &str = "#include <stdio.h>\ndouble f(double x) { return x + 1; }\n\
        int main(void) { printf(\"%g\\n\", f(1)); }\n";
    let (source, peer_source) = (folder.join("small.kal"), folder.join("small.c"));
    fs::write(&source, OURS).expect("the target folder can be written");
    fs::write(&peer_source, THEIRS).expect("the target folder can be written");
    let ours = build(kaleidoscope, &source, &folder.join("small"));
    let theirs = folder.join("small-c");
    let compiled = Command::new("cc").arg("-O2").arg(&peer_source).arg("-o").arg(&theirs).status();
    assert!(compiled.is_ok_and(|status| status.success()), "there is no C compiler");
    let size = |path: &Path| fs::metadata(path).expect("it was built").len();
    let (our_size, their_size) = (size(&ours), size(&theirs));
    println!("a small executable: {our_size} bytes, in C {their_size}");
    lines.push(format!("small,bytes,{our_size},{their_size},{:.3}", our_size as f64 / their_size as f64));
    let run = |path: &Path| {
        let output = Command::new(path).output().expect("it was built");
        assert_eq!(output.stdout, b"2\n");
    };
    let pairs = Pairs::measure(2000, || run(&ours), || run(&theirs));
    let [low, ratio, high] = pairs.ratio();
    println!("its whole process: ratio to C {ratio:.3} ({low:.3} to {high:.3})");
    lines.push(format!("small,process,{},{},{ratio:.3}", millis(pairs.ours()), millis(pairs.theirs())));
}
