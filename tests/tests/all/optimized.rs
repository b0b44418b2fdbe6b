//! Optimized code: functions, expressions and OSR entries of random programs, with callees inlined,
//! have the results and the output of the interpreter.

mod exits;
mod native;

use std::sync::Arc;

use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::InliningBudget;
use kaleidoscope_ir::{Function, FunctionId};
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::number;
use kaleidoscope_lang::reader::Reader;
use kaleidoscope_native::maths;
use kaleidoscope_testkit::{Failure, Oracle, take_output};
use kaleidoscope_tests::generate::Program;
use kaleidoscope_tests::random::fresh_seed;

use native::Native;

/// More inlining than pays, so that much is tested, and less than programs want, so that some calls
/// are left.
const BUDGETS: [InliningBudget; 2] = [
    InliningBudget {
        callee_ops: 400,
        copied_ops: 3_000,
        recursion: 2,
        small_ops: 16,
        copied_small_ops: 3_000,
    },
    InliningBudget { callee_ops: 50, copied_ops: 60, recursion: 1, small_ops: 16, copied_small_ops: 20 },
];

/// The number of seeds that are run each time, and of fresh ones.
const N_SAME: u64 = 40;
const N_OTHERS: u64 = 20;

/// A run of more calls and back edges is taken for endless.
const MAX_STEPS: usize = 100_000;

/// Arguments for functions: the first is what a generated function counts down.
const ARGUMENTS: [f64; 12] = [3.0, 0.5, -2.0, 7.0, 1e10, -0.0, 4.0, 0.1, 1e-3, f64::INFINITY, 100.0, -1.5];

/// How much was compared.
#[derive(Debug, Default)]
struct Tally {
    n_calls: usize,
    n_loops: usize,
}

/// Runs a program in the interpreter and as optimized code: its expressions, and each function
/// when it is defined.
fn check(text: &str, tally: &mut Tally) {
    let maths = |function: MathsFunction, args: &[f64]| {
        maths::find(function.name()).expect("the table has every function").call(args)
    };
    let mut oracle = Oracle::new(maths, 1 << 20, MAX_STEPS);
    let mut native = Native::new(false);
    let mut reader = Reader::new("optimized");
    reader.push(text);
    reader.finish();
    while let Some(read) = reader.read(&oracle.names) {
        let Some(item) = read.item else { continue };
        oracle.commit(&item);
        let (id, function) = match item {
            Item::Definition { id, function, .. } => {
                // Code that inlined an older definition is stale. This test does not record
                // dependencies.
                native.forget();
                (Some(id), function)
            }
            Item::Expression { function } => (None, function),
            _ => continue,
        };
        check_root(&oracle, &mut native, id, &function, tally)
            .unwrap_or_else(|difference| panic!("`{}`: {difference}\n── in ──\n{text}", function.name));
    }
}

/// Compares code of a root with the interpreter: as a whole, and replacing each loop at its first
/// iterations.
fn check_root(
    oracle: &Oracle,
    native: &mut Native,
    id: Option<FunctionId>,
    function: &Arc<Function>,
    tally: &mut Tally,
) -> Result<(), String> {
    let args = &ARGUMENTS[..function.n_params as usize];
    // Code is not interrupted here, so only runs that end by themselves are compared.
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

    let value = native.run(oracle, id, function, args);
    same(value, "as a whole")?;
    tally.n_calls += 1;

    for nth in 0..function.n_loops() {
        let code = native.compile_osr_entry(oracle, id, function, nth);
        for iteration in 0..3 {
            let run_loop =
                |locals: &mut [f64]| assert!(code.run(locals), "valid code runs the loop to its end");
            let run = oracle.interpret_with_osr(function, args, (nth, iteration), &run_loop);
            let value = run.map_err(|Failure(why)| format!("it did not end early before: {why}"))?;
            same(value, &format!("from iteration {iteration} of loop {nth}"))?;
            tally.n_loops += 1;
        }
    }
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
fn optimized_code_gives_the_same() {
    check_seeds(0, N_SAME);
}

#[test]
fn optimized_code_gives_the_same_for_others() {
    check_seeds(fresh_seed(), N_OTHERS);
}

#[test]
fn loops_leave_all_that_they_assign() {
    let mut tally = Tally::default();
    check(
        "def binary: 1 (x y) y;
         def h(x) x / 3 + 1;
         def two(a b) (for i = b, i < 9, a / 2 in (b = b + h(i)) : for j = 0, j < i in a = a + j) : a * 10 + b;
         def in_branch(n) var kept = n in (if n then for i = n, i < 9 in kept = kept + n / i else n = 4) + kept * n;
         def beside(n) n * 100 + (for i = n, i < 9 in n = n + i) + n;
         def not_taken(n) (if n < 0 then (n = 2) : for i = 1, 0 in 7 else for i = 1, i < n in n = n - 1) + n;
         def several(n) var a, b, c in (for i = 1, i < n in (a = b) : (b = c + 1) : c = a + i) : a + b * 10 + c * 100;
         def variable(n) for i = n, i < 20, i in (i = i + 1) : printd(i);
         def in_tail(n m) (for i = 0, i < n in m = m + i) : if n < 1 then m else in_tail(n - 1, m);
         def deep(n) var s in (for i = 0, i < 2 in for j = i, j < 3 in for k = j, k < 4 in s = s * 1.5 + k) : s;",
        &mut tally,
    );
    assert_eq!((tally.n_calls, tally.n_loops), (10, 36));
}

#[test]
fn inlinees_act_as_their_calls() {
    let mut tally = Tally::default();
    check(
        "def binary: 1 (x y) y;
         def fib(n) if n < 2 then n else fib(n - 1) + fib(n - 2);
         def changed(x) (x = x + 1) * 2;
         def f(x) changed(x) + x + changed(x = x * 2) + x;
         def count(n m) if n < 1 then m else count(n - 1, m + n);
         def g(x) count(x, 1) * 2 + (for i = 0, i < count(3, i) in x = x + count(i, x)) + x;
         def truth(x y) x < y;
         def h(x) (if truth(x, 4) then 1 else 2) + (x < truth(0, x)) + truth(truth(x, 1), truth(1, x));
         def even(n) if n < 1 then 1 else odd(n - 1);
         def odd(n) if n < 1 then 0 else even(n - 1);
         even(9) * 2 + odd(9);
         def ackermann(m n) if m < 1 then n + 1 else if n < 1 then ackermann(m - 1, 1) else
           ackermann(m - 1, ackermann(m, n - 1));
         ackermann(2, 3);
         def none() 7; def calls_none() none() + none();
         def endless(x) endless(x);
         def guarded(x) if 1 < x then x else (if x < 1 then endless(x) else 2) + (for i = 0, i < 3 in x = x + i) + x;",
        &mut tally,
    );
    assert_eq!((tally.n_calls, tally.n_loops), (14, 3));
}

#[test]
fn counted_loops_have_as_many_iterations() {
    let text = "def binary: 1 (x y) y;
         def to(n) var s in (for i = 0, i < n in s = s * 2 + i) : s;
         to(0) to(1) to(2.5) to(3) to(0 - 7.5) to(0 - 1/0) to(1/3) to(5e-324) to(0 * (0 - 1)) to(0/0);
         var s in (for i = 5, i < 8.5 in s = s * 2 + i) : s;
         var s, n = 6 in (for i = 0, i < n * 2 - 5 / 4 in s = s * 2 + i) : s;
         var s, n = 6 in (for i = 0, i < n in (n = n - 1) : s = s * 2 + i) : s;
         var s in (for i = 0, i < 9 in (i = i + s) : s = s + 1) : s;
         var s in (for i = 0, i < 9, 2 in s = s * 2 + i) : s;
         var s in (for i = 0, i < i in s = s * 2 + i) : s;
         var s, n = 4 in (for i = 0, i < n in for n = 0, n < i in s = s * 2 + n) : s;
         var s, n = 4 in (for i = 0, i < n in for j = 0, j < i in (s = s * 2 + j) : n = 3) : s;
         var s in (for i = 9007199254740990, i < 9007199254740992 in s = s * 2 + 1) : s;
         var s in (for i = 9007199254740992, i < 7 in s = s * 2 + 1) : s;
         var s in (for i = 0.5, i < 3 in s = s * 2 + i) : s;
         def pairs(n) var s in (for i = 0, i < n in for j = i + 1, j < n in s = s * 2 + j) : s;
         pairs(0) pairs(1) pairs(2.5) pairs(4) pairs(0/0);
         def threes(n) var s in
           (for i = 0, i < n in for j = i + 1, j < n in for k = j + 1, k < n in s = s + i * j * k) : s;
         threes(4) threes(1);
         var s in (for i = 0, i < 3 in for j = 1 + i, j < 4 in s = s * 2 + j) : s;
         var s in (for i = 0, i < 3 in for j = i - 1, j < i in s = s * 2 + j) : s;
         var s in (for i = 0, i < 3 in for j = i, j < 3 in s = s * 2 + j) : s;
         var s in (for i = 0, i < 3 in for j = i + 0.5, j < 3 in s = s * 2 + j) : s;
         var s in (for i = 0, i < 3 in for j = i + 2, j < 4 in s = s * 2 + j) : s;
         var s in (for i = 0, i < 3 in (i = i + 0.25) : for j = i + 1, j < 4 in s = s * 2 + j) : s;
         var s in (for i = 0, i < 3 in (for j = i + 1, j < 4 in i = i + 0.5) : s = s + i) : s;
         var s in ((for i = 0, i < 3 in s = s + i) : for j = s + 1, j < 9 in s = s + j) : s;
         var s in (for i = 9007199254740991, i < 9007199254740992 in for j = i + 1, j < 7 in s = s + 1) : s;
         var s in (for i = 9007199254740991, i < 9007199254740992 in
           for j = i - 1, j < 9007199254740992 in s = s * 2 + 1) : s;";
    let mut tally = Tally::default();
    check(text, &mut tally);
    assert_eq!((tally.n_calls, tally.n_loops), (40, 117));
}

#[test]
fn conditions_that_only_choose_give_the_same() {
    let mut tally = Tally::default();
    check(
        "def unary!(v) if v then 0 else 1;
         def binary| 5 (a b) if a then 1 else !!b;
         def binary& 6 (a b) if !a then 0 else !!b;
         def most(a b) if a < b then b else a;
         def truths(a b) (a | b) + (a & b) * 10 + !a * 100 + !(a < b & b < a | !b) * 1000;
         def values(a b) most(a, b) + (if a & b then a else if a < b then 7 else 1) + (if a then 1 else 2);
         def assigned(a b) (if a < b then (a = b) else 3) + a;
         truths(0, 0) truths(1, 0) truths(0, 2) truths(0/0, 3) truths(0 - 1, 0/0) truths(0 * (0 - 1), 1);
         values(0, 0) values(1, 0) values(0, 2) values(0/0, 3) values(0 - 1, 0/0) most(0/0, 1) most(1, 0/0);
         1 / most(0, 0 * (0 - 1)) 1 / most(0 * (0 - 1), 0);",
        &mut tally,
    );
    assert_eq!(tally.n_calls, 22);
}
