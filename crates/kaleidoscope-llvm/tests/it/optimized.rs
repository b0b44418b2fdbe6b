//! Optimized code: tier-ups, OSR entries and kernels.
//!
//! `BLESS=1` rewrites the files `ir/optimized/*.ll`: of each program the function defined last, and
//! each of its loops.

use crate::program::{CONSTRUCTS, compare_ir, lower_optimized, lower_unit, oldest_machine, optimize};
use inkwell::context::Context;
use kaleidoscope_ir::Function;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{
    CodeKind, InliningBudget, Invalidation, KernelForm, KernelKind, Optimization, Unit, VectorMaths,
};
use kaleidoscope_llvm::{Effort, effort, pipeline, symbols};
use kaleidoscope_testkit::Program;
use llvm_orc::FunctionPass;
use std::sync::Arc;

pub(crate) const LIMITS: InliningBudget = InliningBudget {
    callee_ops: 100,
    copied_ops: 1_000,
    recursion: 2,
    small_ops: 16,
    copied_small_ops: 1_000,
};

/// Of code that is never run.
pub(crate) const INVALIDATION: Invalidation = Invalidation { flag: 0x1000, exit: 0x2000, code_number: 7 };

/// What bodies meet in callers, beside what single functions have.
pub(crate) const CALLS: &str = "
    def unary!(x) if x then 0 else 1;
    def binary| 5 (x y) !(if x then 0 else !y);
    def constant() 7;
    def less(x y) x < y;
    def set(x) (x = x + 1) * x;
    def halve(x n) if x < 1 then n else halve(x / 2, n + 1);
    def forever(x) forever(x + 1);
    def fib(n) if n < 2 then n else fib(n - 1) + fib(n - 2);
    def even(n) if n < 1 then 1 else odd(n - 1); def odd(n) if n < 1 then 0 else even(n - 1);
    def values(x) set(x) + x + set(x = constant()) + x + less(less(x, 1), 2);
    def conditions(x y) if less(x, y) | !(x < 1) then less(1, x) else forever(x);
    def loops(n) (for i = 0, less(i, halve(n, 0)), constant() in for j = fib(3), j < i in n = halve(j, n)) + n;
    def both(x) if x then (if x < 1 then forever(x) else set(x)) + 1 else halve(x, forever(x)) + even(x);
    def itself(x n) if n < 1 then itself(halve(x, n), itself(1, 0)) else itself(1, 2) + halve(x, 1);
    values(1) + even(3) | fib(4);
";

/// The passes of optimized code.
pub(crate) fn passes(kind: CodeKind) -> &'static [FunctionPass] {
    let program = Program::read("def f(x) x");
    let unit = program.optimized_unit(program.last(), CodeKind::Function, LIMITS);
    pipeline(&Unit { kind, ..unit }, Optimization::Default)
}

/// What a unit can be entered by.
pub(crate) fn entries(function: &Function) -> Vec<CodeKind> {
    let n_loops = function.n_loops();
    let forms = KernelForm::ALL.into_iter();
    let forms = forms.filter(|form| form.n_states(function) <= function.n_params as usize);
    let rows = forms
        .flat_map(|form| [KernelKind::Guarded, KernelKind::Plain].map(|kind| CodeKind::Kernel(kind, form)));
    [CodeKind::Function].into_iter().chain((0..n_loops).map(CodeKind::Osr)).chain(rows).collect()
}

#[test]
fn ir_is_as_expected() {
    compare_ir("tests/ir/optimized", |text| {
        let program = Program::read(text);
        let function = program.functions.last().unwrap();
        let ir = |entry| {
            let cx = Context::create();
            let extension = match entry {
                CodeKind::Function => "ll".to_owned(),
                CodeKind::Osr(nth) => format!("loop{nth}.ll"),
                CodeKind::Kernel(..) => "kernel.ll".to_owned(),
            };
            (extension, lower_optimized(&cx, &program, function, entry, LIMITS).to_string())
        };
        // Rows differ in the names of maths functions only, and only those without loops and calls
        // may be plain.
        let is_shown = |entry: &CodeKind| match entry {
            CodeKind::Function | CodeKind::Osr(_) => true,
            CodeKind::Kernel(kind, form) => (*kind, *form) == (KernelKind::Guarded, KernelForm::Map),
        };
        entries(function).into_iter().filter(is_shown).map(ir).collect()
    });
}

#[test]
fn every_construct_is_well_formed_at_every_entry() {
    let machine = oldest_machine();
    let mut n_loops = 0;
    for text in [CONSTRUCTS, CALLS] {
        let program = Program::read(text);
        for function in &program.functions {
            for entry in entries(function) {
                for invalidation in [None, Some(INVALIDATION)] {
                    let cx = Context::create();
                    let unit = program.optimized_unit(function, entry, LIMITS);
                    let unit = Unit { invalidation, ..unit };
                    assert_eq!(effort(&unit), Effort::Full);
                    optimize(&lower_unit(&cx, &program, &unit), passes(entry), &machine);
                }
                n_loops += usize::from(entry.osr_loop().is_some());
            }
        }
    }
    assert_eq!(n_loops, 9);
}

#[test]
fn only_what_is_not_inlined_is_called() {
    let cx = Context::create();
    let program = Program::read("def g(x) h(x) + x; def h(x) k(x); def f(x) g(x) * sqrt(x)");
    let function = program.functions.last().unwrap();
    let ir = lower_optimized(&cx, &program, function, CodeKind::Function, LIMITS).to_string();
    assert!(ir.contains("k$slot") && !ir.contains("g$slot") && !ir.contains("h$slot"), "{ir}");
    let inlinees = program.plan(function, CodeKind::Function, LIMITS).inlinees();
    let names: Vec<_> = inlinees.iter().map(|id| &*program.names.signature(*id).name).collect();
    assert_eq!(names, ["g", "h"]);
}

#[test]
fn an_endless_loop_stays() {
    let machine = oldest_machine();
    for condition in ["i < 1 / 0", "i < 0 / 0", "i < 1e300", "1"] {
        let cx = Context::create();
        let program = Program::read(&format!("def f(x) (for i = 0, {condition} in 0) + 1"));
        let module = lower_optimized(&cx, &program, program.last(), CodeKind::Function, LIMITS);
        optimize(&module, passes(CodeKind::Function), &machine);
        assert!(module.to_string().contains("label %loop"), "{condition}: {}", module.to_string());
    }
}

#[test]
fn what_only_chooses_does_not_branch() {
    let machine = oldest_machine();
    let text = |body| {
        format!(
            "def unary!(v) if v then 0 else 1; def binary| 5 (x y) if x then 1 else if y then 1 else 0;
             def binary& 6 (x y) if !x then 0 else !!y; def f(x y) {body};"
        )
    };
    for (body, n_branches) in [
        ("x < 1 | y < 2 & !(x < y)", 0),
        ("if x < y then x else y", 0),
        ("if x < y then x + 1 else y", 3),
        ("if x < y then x = y else y", 3),
    ] {
        let cx = Context::create();
        let program = Program::read(&text(body));
        let function = program.functions.last().unwrap();
        let module = lower_optimized(&cx, &program, function, CodeKind::Function, LIMITS);
        optimize(&module, passes(CodeKind::Function), &machine);
        let ir = module.to_string();
        assert_eq!(ir.matches("  br ").count(), n_branches, "{ir}");
    }
}

/// The optimized IR of a kernel, on a machine whose vectors have two doubles.
fn rows(text: &str, kind: KernelKind, vector_maths: &[VectorMaths]) -> String {
    let program = Program::read(text);
    let kind = CodeKind::Kernel(kind, KernelForm::Map);
    let unit = program.optimized_unit(program.last(), kind, LIMITS);
    optimized_text(&program, &Unit { vector_maths: vector_maths.to_vec(), ..unit })
}

fn optimized_text(program: &Program, unit: &Unit) -> String {
    let cx = Context::create();
    let module = lower_unit(&cx, program, unit);
    optimize(&module, passes(unit.kind), &oldest_machine());
    module.to_string()
}

/// A function with the results of all functions of the text, and its unit.
fn together(text: &str, kind: CodeKind) -> (Program, Unit) {
    let program = Program::read(text);
    let ids: Vec<_> =
        program.functions.iter().map(|function| program.names.current(&function.name).unwrap()).collect();
    let parameters = program.last().locals[..program.last().n_params as usize].to_vec();
    let function = Arc::new(Function::of_calls("$together", parameters, &ids));
    let unit = program.optimized_unit(&function, kind, LIMITS);
    (program, unit)
}

#[test]
fn several_results_share_what_they_compute() {
    let text = "def f(x y) x * y + 1; def g(x y) x * y - 2; def h(x y) x * y - x";
    let (program, unit) = together(text, CodeKind::Kernel(KernelKind::Plain, KernelForm::Map));
    let ir = optimized_text(&program, &unit);
    // The loop over vectors and that over the rows that are left.
    assert_eq!((ir.matches("fmul <2 x double>").count(), ir.matches("fmul double").count()), (1, 1), "{ir}");
    assert!(ir.matches("store <2 x double>").count() == 3 && !ir.contains("memcheck"), "{ir}");
}

#[test]
fn scalars_are_loaded_before_the_rows() {
    let program = Program::read("def f(x a b) x * sin(a) + b");
    for kind in [KernelKind::Plain, KernelKind::Guarded] {
        let unit = program.optimized_unit(program.last(), CodeKind::Kernel(kind, KernelForm::Map), LIMITS);
        let ir = optimized_text(&program, &Unit { scalars: [1, 2].into_iter().collect(), ..unit });
        let (before, rows) = ir.split_once("\nrow:").expect("a loop");
        let rows = rows.split_once("\ndone:").expect("an end").0;
        assert!(before.contains("$sin\"(double %a)") && !rows.contains("$sin"), "{ir}");
        assert_eq!(rows.matches("load double").count(), 1, "{ir}");
    }
}

#[test]
fn scans_keep_their_states_in_registers() {
    let text = "def f(s t x) s + x * t; def g(s t x) t + 1";
    for (form, n_stores) in [(KernelForm::Scan, 2), (KernelForm::Fold, 0)] {
        let (program, unit) = together(text, CodeKind::Kernel(KernelKind::Plain, form));
        let ir = optimized_text(&program, &unit);
        let rows =
            ir.split_once("\nrow:").and_then(|(_, rows)| rows.split_once("\ndone:")).expect("a loop").0;
        // A column.
        assert_eq!(rows.matches("= load ").count(), 1, "{ir}");
        assert_eq!(rows.matches(" store ").count(), n_stores, "{ir}");
        assert!(!ir.contains("volatile"), "{ir}");
        let (program, unit) = together(text, CodeKind::Kernel(KernelKind::Guarded, form));
        let ir = optimized_text(&program, &unit);
        assert_eq!(ir.matches("store volatile i64").count(), 1, "the rows that are done: {ir}");
    }
}

/// The exit function leaves the results of the row in the exit buffer.
#[test]
fn kernels_of_several_results_read_them_from_the_exit_buffer() {
    let text = "def f(x) k(x) + x; def g(x) k(x)";
    let text = &format!("{text}; def h(x) x + 1");
    let (program, unit) = together(text, CodeKind::Kernel(KernelKind::Guarded, KernelForm::Map));
    let unit = Unit { invalidation: Some(INVALIDATION), ..unit };
    let ir = optimized_text(&program, &unit);
    let call = format!("call double @\"{}\"(", symbols::EXIT);
    let (_, behind) = ir.rsplit_once(&call).expect("it has exits");
    assert_eq!(behind.matches("= load double").count(), 3, "{ir}");
}

#[test]
fn rows_are_computed_several_at_once() {
    let text = "def g(x) if x < 1 then x else x * 3; def f(x y) g(x) * y + g(y) - 1";
    let ir = rows(text, KernelKind::Plain, &[]);
    assert!(ir.contains("fmul <2 x double>"), "{ir}");
    // No column overlaps the results, so the code does not check whether one does.
    assert!(!ir.contains("memcheck"), "{ir}");
    assert!(!ir.contains("fast") && !ir.contains("reassoc"), "{ir}");
}

#[test]
fn variables_of_the_host_are_read_once_for_plain_rows_that_assign_none() {
    let text = "def g(x) x * t + t; def f(x) g(x) + t";
    let ir = rows(text, KernelKind::Plain, &[]);
    assert_eq!(ir.matches("load atomic double").count(), 1, "{ir}");
    assert!(ir.contains("fmul <2 x double>"), "{ir}");
    let ir = rows(text, KernelKind::Guarded, &[]);
    assert_eq!(ir.matches("load atomic double").count(), 3, "{ir}");
    let ir = rows("def f(x) (t = t + x) * t", KernelKind::Plain, &[]);
    assert_eq!(ir.matches("load atomic double").count(), 2, "{ir}");
    assert!(!ir.contains("x double>"), "{ir}");
}

#[test]
fn maths_functions_are_called_one_by_one_unless_there_are_others() {
    let text = "def f(x y) sin(x) + x ^ y";
    let strict = rows(text, KernelKind::Plain, &[]);
    assert!(strict.contains("double @\"libm$sin\"(double") && !strict.contains("@\"maths$"), "{strict}");
    assert!(!strict.contains("x double>"), "{strict}");
    let guarded = rows(text, KernelKind::Guarded, &[]);
    assert!(guarded.contains("double @\"maths$sin\"(double") && !guarded.contains("@\"libm$"), "{guarded}");

    let vector = |function| VectorMaths { function, lanes: 2, address: 0 };
    let fast = rows(text, KernelKind::Plain, &[vector(MathsFunction::Sin), vector(MathsFunction::Pow)]);
    for (function, lanes) in [(MathsFunction::Sin, 2), (MathsFunction::Pow, 2)] {
        let call = format!("call <2 x double> @\"{}\"(<2 x double>", symbols::vector_maths(function, lanes));
        assert!(fast.contains(&call), "{call} in {fast}");
    }
    assert!(!fast.contains("call fast") && !fast.contains("reassoc"), "{fast}");
}

/// One call gives the sine and the cosine of an argument, in plain kernels that may call it.
#[test]
fn sine_and_cosine_of_an_argument_are_one_call() {
    let calls = |text: &str, sincos: Option<usize>| {
        let program = Program::read(text);
        let kind = CodeKind::Kernel(KernelKind::Plain, KernelForm::Map);
        let unit = program.optimized_unit(program.last(), kind, LIMITS);
        let ir = optimized_text(&program, &Unit { sincos, ..unit });
        let n_calls = |name: &str| ir.matches(&format!("@\"libm${name}\"(double %")).count();
        [n_calls("sincos"), n_calls("sin"), n_calls("cos")]
    };
    let some = Some(0x1000);
    assert_eq!(calls("def f(t r) r * cos(t) + sin(t) * sin(t)", some), [1, 0, 0]);
    assert_eq!(calls("def f(t r) r * cos(t) + sin(t) * sin(t)", None), [0, 1, 1]);
    assert_eq!(calls("def f(a t) cos(a * t) + sin(a * t) - cos(a / t) - sin(a / t)", some), [2, 0, 0]);
    assert_eq!(calls("def f(t) sin(t^2) * cos(t * t)", some), [1, 0, 0]);
    assert_eq!(calls("def f(t r) sin(t) + cos(r) + sin(r) * sin(t)", some), [1, 1, 0]);
    assert_eq!(calls("def f(t r) cos(t) + sin(r)", some), [0, 1, 1]);
    assert_eq!(calls("def f(t r) if t < r then sin(t) else cos(t)", some), [0, 1, 1]);
}

/// How many copies of `body` the limits allow in the function defined last.
#[track_caller]
fn check_copies(text: &str, limits: InliningBudget, body: &str, expected: usize) {
    let cx = Context::create();
    let program = Program::read(text);
    let function = program.functions.last().unwrap();
    let ir = lower_optimized(&cx, &program, function, CodeKind::Function, limits).to_string();
    assert_eq!(ir.matches(body).count(), expected, "{ir}");
}

#[test]
fn limits_hold() {
    let fib = "def fib(n) if n < 2 then n else fib(n - 1) + fib(n - 2)";
    for (recursion, expected) in [(0, 1), (1, 3), (2, 7), (3, 15)] {
        check_copies(fib, InliningBudget { recursion, ..LIMITS }, "fcmp ult", expected);
    }
    let n_ops = Program::read(fib).functions[0].ops.len();
    let deep = InliningBudget { recursion: 9, ..LIMITS };
    check_copies(fib, InliningBudget { copied_ops: 6 * n_ops, ..deep }, "fcmp ult", 7);
    check_copies(fib, InliningBudget { copied_ops: 6 * n_ops - 1, ..deep }, "fcmp ult", 3);
    check_copies(fib, InliningBudget { callee_ops: n_ops, ..LIMITS }, "fcmp ult", 7);
    check_copies(fib, InliningBudget { callee_ops: n_ops - 1, ..LIMITS }, "fcmp ult", 1);
}

#[test]
fn effort_counts_every_copy() {
    let program = Program::read("def f(x) f(x) + f(x) + f(x) + f(x)");
    let limits = |recursion| InliningBudget {
        callee_ops: usize::MAX,
        copied_ops: usize::MAX,
        recursion,
        ..InliningBudget::NOTHING
    };
    let effort = |recursion| {
        let kind = CodeKind::Function;
        effort(&program.optimized_unit(program.last(), kind, limits(recursion)))
    };
    assert_eq!([4, 5, 6, 200].map(effort), [Effort::Full, Effort::Quick, Effort::Refuse, Effort::Refuse]);
}

/// A unit whose function calls `k`, which is not inlined, this often, each time with `between`
/// behind it.
fn calls_with_exits(n_calls: usize, between: &str) -> (Program, Unit) {
    let calls = format!("k(x) {between} + ").repeat(n_calls);
    let text = format!("def binary: 1 (a b) b; def g(x) x + 1; def f(x) g(x) + {calls} 0");
    let program = Program::read(&text);
    let unit = program.optimized_unit(program.last(), CodeKind::Function, LIMITS);
    (program, Unit { invalidation: Some(INVALIDATION), ..unit })
}

/// Exits only count where something inlined may follow, and inlined calls do not count as calls.
#[test]
fn effort_counts_what_is_left() {
    assert_eq!(effort(&calls_with_exits(900, "").1), Effort::Full);
    assert_eq!(effort(&calls_with_exits(900, "+ g(x)").1), Effort::Quick);
    let statements = |n: usize| {
        let text = format!("def binary: 1 (a b) b; def f(x y) {}", "x * y : ".repeat(n) + "x");
        let program = Program::read(&text);
        effort(&program.optimized_unit(program.last(), CodeKind::Function, LIMITS))
    };
    assert_eq!([100, 900].map(statements), [Effort::Full; 2]);
}

/// Otherwise LLVM takes a time that grows with the square of the number of exits.
#[test]
fn exits_share_the_addresses_of_their_values() {
    let (program, unit) = calls_with_exits(100, "+ g(x)");
    let ir = lower_unit(&Context::create(), &program, &unit).to_string();
    let n_exits = ir.matches("exit:").count() + ir.lines().filter(|line| line.starts_with("exit")).count();
    assert!(n_exits > 90, "{n_exits} exits");
    let n_addresses = ir.matches("getelementptr").count();
    // `x`, the sum so far, and perhaps an operand.
    assert!(n_addresses <= 4, "{n_addresses} addresses in {ir}");
}
