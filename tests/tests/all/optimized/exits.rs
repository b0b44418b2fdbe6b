//! Exits: code that is invalidated at any of its checks has the results of the interpreter.

use std::sync::Arc;

use kaleidoscope_ir::compile::KernelForm;
use kaleidoscope_ir::{Function, FunctionId, MathsFunction};
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::number;
use kaleidoscope_lang::reader::Reader;
use kaleidoscope_native::maths;
use kaleidoscope_testkit::{Failure, Oracle, take_output};
use kaleidoscope_tests::generate::Program;
use kaleidoscope_tests::random::fresh_seed;

use super::native::Native;
use super::native::exits::{invalidate_after, n_checks_left};
use super::{ARGUMENTS, MAX_STEPS};

/// The first checks of each run are tried, and a few others.
const N_FIRST: u64 = 12;
const N_LATER: u64 = 6;

/// How many runs were left.
#[derive(Debug, Default)]
struct Tally {
    n_calls: usize,
    n_loops: usize,
    n_kernels: usize,
    /// Kernels of two results.
    n_together: usize,
    n_scans: usize,
}

fn check(text: &str, tally: &mut Tally) {
    let maths = |function: MathsFunction, args: &[f64]| {
        maths::find(function.name()).expect("the table has every function").call(args)
    };
    let mut oracle = Oracle::new(maths, 1 << 20, MAX_STEPS);
    // Completes what was left. Each of many completions counts steps.
    let mut completing = Oracle::new(maths, 1 << 20, usize::MAX);
    let mut native = Native::new(true);
    let mut reader = Reader::new("exits");
    reader.push(text);
    reader.finish();
    while let Some(read) = reader.read(&oracle.names) {
        let Some(item) = read.item else { continue };
        oracle.commit(&item);
        completing.commit(&item);
        let (id, function) = match item {
            Item::Definition { id, function, .. } => {
                native.forget();
                (Some(id), function)
            }
            Item::Expression { function } => (None, function),
            _ => continue,
        };
        check_root((&oracle, &completing), &mut native, id, &function, tally)
            .unwrap_or_else(|difference| panic!("`{}`: {difference}\n── in ──\n{text}", function.name));
    }
}

/// Runs code and leaves it at different checks. Returns how many runs were left.
fn at_checks(completing: &Oracle, mut run: impl FnMut(&str) -> Result<(), String>) -> Result<usize, String> {
    invalidate_after(u64::MAX, 0, completing);
    run("without an exit")?;
    let n_checks = u64::MAX - n_checks_left();
    let later = (N_FIRST..n_checks).step_by((n_checks / N_LATER + 1) as usize);
    let mut n_runs = 0;
    for at in (0..n_checks.min(N_FIRST)).chain(later) {
        for n_exits in [1, 2, u64::MAX] {
            invalidate_after(at, n_exits, completing);
            run(&format!("with {n_exits} exits from check {at} of {n_checks}"))?;
            n_runs += 1;
        }
    }
    Ok(n_runs)
}

fn check_root(
    (oracle, completing): (&Oracle, &Oracle),
    native: &mut Native,
    id: Option<FunctionId>,
    function: &Arc<Function>,
    tally: &mut Tally,
) -> Result<(), String> {
    let args = &ARGUMENTS[..function.n_params as usize];
    let (Ok(expected), written) = (oracle.interpret(function, args), take_output()) else { return Ok(()) };
    let same = |value: f64, place: &str| {
        let (value, expected) = (number::format(value), number::format(expected));
        let now = take_output();
        if value == expected && now == written {
            return Ok(());
        }
        Err(format!("{value} instead of {expected} {place}, written {now:?} instead of {written:?}"))
    };
    native.link(oracle, function);
    let code = native.compile_function(oracle, id, function);
    tally.n_calls += at_checks(completing, |place| same(code.run(args), place))?;

    for nth in 0..function.n_loops() {
        let code = native.compile_osr_entry(oracle, id, function, nth);
        for iteration in 0..2 {
            let run_loop = |locals: &mut [f64]| {
                if !code.run(locals) {
                    let rest = oracle.run_loop(function, nth, locals, usize::MAX);
                    rest.expect("the interpreter ended before");
                }
            };
            tally.n_loops += at_checks(completing, |place| {
                let run = oracle.interpret_with_osr(function, args, (nth, iteration), &run_loop);
                let value = run.map_err(|Failure(why)| format!("it did not end early before: {why}"))?;
                same(value, &format!("{place}, from iteration {iteration} of loop {nth}"))
            })?;
        }
    }
    if args.is_empty() {
        return Ok(());
    }
    let code = native.compile_kernel(oracle, id, function, KernelForm::Map);
    let columns: Vec<_> = args.iter().map(|arg| vec![*arg; 3]).collect();
    let repeated = written.repeat(3);
    let expected = number::format(expected);
    let all_expected = |results: &[Vec<f64>], written: &str, place: &str| {
        let now = take_output();
        if results.iter().flatten().all(|value| number::format(*value) == expected) && now == written {
            return Ok(());
        }
        Err(format!("{results:?} instead of {expected} {place}, written {now:?}"))
    };
    tally.n_kernels +=
        at_checks(completing, |place| all_expected(&code.run(&columns, &mut [], 3), &repeated, place))?;

    if let Some(id) = id {
        let parameters = function.locals[..args.len()].to_vec();
        let twice = Arc::new(Function::of_calls("$twice", parameters, &[id, id]));
        native.link(oracle, &twice);
        let code = native.compile_kernel(oracle, None, &twice, KernelForm::Map);
        let columns: Vec<_> = args.iter().map(|arg| vec![*arg; 2]).collect();
        let repeated = written.repeat(4);
        tally.n_together +=
            at_checks(completing, |place| all_expected(&code.run(&columns, &mut [], 2), &repeated, place))?;
    }
    check_scan((oracle, completing), native, id, function, tally)
}

/// Passes the result of a row to the next row, in one of the two forms.
fn check_scan(
    (oracle, completing): (&Oracle, &Oracle),
    native: &mut Native,
    id: Option<FunctionId>,
    function: &Arc<Function>,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut args = ARGUMENTS[..function.n_params as usize].to_vec();
    let columns: Vec<_> = args[1..].iter().map(|arg| vec![*arg; 2]).collect();
    let mut expected = Vec::new();
    for _ in 0..2 {
        // A row may take longer than is tested.
        let Ok(value) = oracle.interpret(function, &args) else {
            take_output();
            return Ok(());
        };
        expected.push(number::format(value));
        args[0] = value;
    }
    let written = take_output();
    let form = if tally.n_scans.is_multiple_of(2) { KernelForm::Scan } else { KernelForm::Fold };
    let code = native.compile_kernel(oracle, id, function, form);
    tally.n_scans += at_checks(completing, |place| {
        let mut states = [ARGUMENTS[0]];
        let results = code.run(&columns, &mut states, 2);
        let results: Vec<_> = results.iter().flatten().map(|value| number::format(*value)).collect();
        let is_right = number::format(states[0]) == expected[1]
            && (results == expected || form == KernelForm::Fold)
            && take_output() == written;
        if is_right { Ok(()) } else { Err(format!("{results:?} instead of {expected:?} {place}")) }
    })?;
    Ok(())
}

fn check_seeds(first: u64, n_seeds: u64) {
    let mut tally = Tally::default();
    for seed in first..first + n_seeds {
        check(&Program::new(seed).text(), &mut tally);
    }
    eprintln!("{n_seeds} programs from seed {first}: {tally:?}");
    assert!(tally.n_calls > 0);
}

#[test]
fn random_programs_go_on_where_they_are_left() {
    check_seeds(0, 10);
    check_seeds(fresh_seed(), 10);
}

#[test]
fn every_kind_of_exit_is_completed() {
    let mut tally = Tally::default();
    check(
        "def binary: 1 (x y) y;
         def fib(n) if n < 2 then n else fib(n - 1) + fib(n - 2);
         fib(10);
         def count(n m) if n < 1 then m else count(n - 1, m + n);
         def twice(x) 10 * count(x, 1) - count(x + 2, 2) / 3;
         def operands(x y) x - (twice(y) + (x < 4) * twice(x - 1)) * (y < printd(x));
         def ackermann(m n) if m < 1 then n + 1 else if n < 1 then ackermann(m - 1, 1) else
           ackermann(m - 1, ackermann(m, n - 1));
         ackermann(2, 2);
         def tak(x y z) if y < x then tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) else z;
         tak(6, 3, 1);
         def counted(n) var s in (for i = 0, i < n * 3 in (for j = 0, j < i + 2 in s = s * 1.5 + j) : printd(s)) : s + n;
         def unread(n) var s = 1 in (for i = 0, i < 300 in s = s * 0.5 + n ^ s) : s;
         def stepped(n) var s in (for i = n, s < 20, n / 2 in (s = s + i) : if s < 9 then printd(i) else 0) : s;
         def outside(n) var kept = n * 3 in (for i = 0, i < n * 2 in for j = 9, i < j, 0 - 1 in n = n + 0.1) + kept + n;
         def powers(n) var s in (for i = 0, i < 9000 in s = s ^ 0.5 + sin(i) + n) : s;
         def deep(n) (for i = 0, i < 40 in for j = 0, j < 40 in for k = 0, k < 30 in n = n * 0.5 + i / (1 + j) - k) : n;
         def inner(n) (for i = 0, i < 9 in n = n + counted(i / 3) * unread(1)) : n;
         powers(1) + deep(3) + inner(2);",
        &mut tally,
    );
    eprintln!("{tally:?}");
    assert!(tally.n_calls > 300 && tally.n_loops > 300 && tally.n_kernels > 200, "{tally:?}");
    assert!(tally.n_together > 100 && tally.n_scans > 200, "{tally:?}");
}
