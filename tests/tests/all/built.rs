//! Programs that are built ahead of time print, report and exit as the interpreter does.
//!
//! Each test links executables with the C compiler, so they are a part of `./check` of their own.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use kaleidoscope::Optimization;
use kaleidoscope::lang::number;
use kaleidoscope_tests::build::{Built, Machine, print_numbers};
use kaleidoscope_tests::generate::Program;
use kaleidoscope_tests::random::{Random, fresh_seed};
use kaleidoscope_tests::{folder, programs};

const BOTH_ENDS: &[Optimization] = &[Optimization::None, Optimization::Aggressive];

/// Checks the programs of each file on the machine, on all processors. Expects at least this number
/// of programs that the machine can run.
pub(crate) fn check_files(
    machine: Machine,
    levels: &[Optimization],
    files: &[PathBuf],
    with_failures: bool,
    least: usize,
) {
    let (next, n_checked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(String::new());
    let n_threads = thread::available_parallelism().map_or(1, usize::from);
    let check = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a program is readable text");
        let failing = Built::with_failure(&text).filter(|_| with_failures);
        for built in Built::of_texts(&[text]).iter().chain(&failing) {
            for &optimization in levels {
                match built.check(machine, optimization) {
                    Ok(Some(())) => drop(n_checked.fetch_add(1, Ordering::Relaxed)),
                    Ok(None) => {}
                    Err(difference) => {
                        let mut failures = failures.lock().expect("no thread panicked");
                        let _ = writeln!(failures, "{} at {optimization:?}: {difference}", path.display());
                    }
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(path);
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no thread panicked");
    assert!(failures.is_empty(), "{failures}");
    let n_checked = n_checked.into_inner();
    assert!(n_checked >= least, "only {n_checked} programs can be built");
}

#[test]
fn case_files() {
    check_files(Machine::This, BOTH_ENDS, &programs(folder("tests/cases")), true, 300);
}

#[test]
fn examples() {
    check_files(Machine::This, BOTH_ENDS, &programs(folder("examples")), true, 16);
}

/// 64 programs become one: each redefines what the ones before have defined.
fn check_seeds(first: u64) {
    eprintln!("64 random programs from seed {first}");
    let texts: Vec<_> = (0..64).map(|idx| Program::new(first + idx).text()).collect();
    let built = Built::of_texts(&texts).expect("the programs need no host");
    for optimization in [Optimization::None, Optimization::Default, Optimization::Aggressive] {
        if let Err(difference) = built.check(Machine::This, optimization) {
            panic!("seed {first} at {optimization:?}: {difference}");
        }
    }
}

#[test]
fn random_programs() {
    check_seeds(0);
    check_seeds(fresh_seed());
}

#[test]
fn numbers_print_alike() {
    let seed = fresh_seed();
    eprintln!("numbers from seed {seed}");
    let mut random = Random::new(seed);
    let exponents = (0..2047_u64).flat_map(|exponent| [0, 1, (1 << 52) - 1].map(|low| exponent << 52 | low));
    let special = [f64::NAN, f64::INFINITY, 1e-4, 9.999e-5, 1e15, 1e16, 9_007_199_254_740_993.0, 0.1 + 0.2];
    let mut numbers: Vec<_> = exponents.map(f64::from_bits).chain(special).collect();
    // All exponents, few and many digits, the smallest numbers.
    numbers.extend((0..100_000).map(|_| f64::from_bits(random.below(usize::MAX) as u64)));
    numbers.extend((0..50_000).map(|_| random.below(100_000) as f64 / 10_f64.powi(random.below(30) as i32)));
    numbers.extend((0..10_000).map(|_| f64::from_bits(random.below(1 << 20) as u64)));
    let negative: Vec<_> = numbers.iter().map(|number| -number).collect();
    numbers.extend(negative);
    let printed = print_numbers(&numbers);
    let printed = String::from_utf8(printed).expect("numbers are ASCII");
    let mut lines = printed.lines();
    for number in numbers {
        let bits = number.to_bits();
        assert_eq!(lines.next(), Some(&*number::format(number)), "{bits:#x}, seed {seed}");
    }
}
