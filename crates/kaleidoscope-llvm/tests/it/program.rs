//! Modules of program text, a machine to compile for, and IR compared with files.

use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{CodeModel, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple};
use kaleidoscope_ir::Function;
use kaleidoscope_ir::compile::{CodeKind, InliningBudget, Optimization, Unit};
use kaleidoscope_llvm::{Effort, References, effort, lower, symbols};
use kaleidoscope_testkit::Program;
use llvm_orc::{FunctionPass, Passes};
use std::path::Path;
use std::sync::Arc;

pub(crate) const LEVELS: [Optimization; 4] =
    [Optimization::None, Optimization::Less, Optimization::Default, Optimization::Aggressive];

/// Standalone code of the function defined last.
pub(crate) fn last_module<'cx>(cx: &'cx Context, program: &Program) -> Module<'cx> {
    lower_unit(cx, program, &program.unit(program.last()))
}

/// Optimized code of a function, with everything inlined that the budget allows.
pub(crate) fn lower_optimized<'cx>(
    cx: &'cx Context,
    program: &Program,
    function: &Arc<Function>,
    kind: CodeKind,
    budget: InliningBudget,
) -> Module<'cx> {
    let unit = program.optimized_unit(function, kind, budget);
    assert_eq!(effort(&unit), Effort::Full);
    lower_unit(cx, program, &unit)
}

/// The verified module of a unit, with symbols instead of addresses.
pub(crate) fn lower_unit<'cx>(cx: &'cx Context, program: &Program, unit: &Unit) -> Module<'cx> {
    let symbol = symbols::code(&unit.function.name, 1);
    let (module, _) = lower(cx, unit, &symbol, References::Symbols(&program.function_names()));
    module.verify().unwrap_or_else(|error| panic!("{error}\n{}", module.to_string()));
    module
}

/// A machine that has no instruction for anything newer than the first x86-64.
pub(crate) fn oldest_machine() -> TargetMachine {
    Target::initialize_x86(&InitializationConfig::default());
    let triple = TargetTriple::create("x86_64-unknown-linux-gnu");
    let target = Target::from_triple(&triple).unwrap();
    let level = OptimizationLevel::Default;
    target.create_target_machine(&triple, "x86-64", "", level, RelocMode::PIC, CodeModel::Small).unwrap()
}

pub(crate) fn optimize(module: &Module<'_>, passes: &[FunctionPass], machine: &TargetMachine) {
    if !passes.is_empty() {
        let text = Passes::functions(passes).as_text().into_owned();
        module.run_passes(&text, machine, PassBuilderOptions::create()).unwrap();
        module.verify().unwrap();
    }
}

/// Every construct, in every position that is lowered in a way of its own.
pub(crate) const CONSTRUCTS: &str = "
    def numbers(x) 1 + 0.1 * 1e300 - x / 0 ^ 2 ^ x;
    def truth(x y) (x < y) + (if x < y then x < 1 else y < 1) + (if 1 < (x < y) then 2 else 3);
    def set(x) var a = x < 1 in (x = a = x + 1) + a + x;
    def shadow(x) (var x = x + 1 in var x = x * 2 in x) + x;
    def nested(x) if if x then x < 1 else 0 then (if x then 1 else x = 2) else (if x < 3 then x = 4 else x);
    def loops(n) (for i = 0, i < n in for j = i, j < n, 2 in (if j < i then n = n - 1 else i = i + 1)) + n;
    def loop_in_branch(n) if n then (for i, 0 in n = i) else for i = n, n < i, 0 - 1 in n;
    def held(n) n + (for i = n, i < 9 in n = n + 1) + n;
    def forever(x) forever(x);
    def both(x y) if x then both(y, x) else both(x, y + 1);
    def first(x y) if x then first(y, x) else (y = 2) + x;
    def second(x y) if x then (y = x) + y else second(y, x);
    def third(x) if x < 1 then 1 else if x < 2 then third(x - 2) else (if x then third(x) else third(1)) ;
    def inner(x) var y = x in if y then inner(y - 1) + inner(y - 2) else inner(y = 3);
    def none() none2(none2()); def none2(x) x;
    def unary!(x) if x then 0 else 1;
    def binary| 5 (x y) !(if x then 0 else !y);
    def many(a b c d e f g h i j) many(b, c, d, e, f, g, h, i, j, a) | many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) * 2;
    def shared(x) (for i = t, t < i in t = i + t) + (if t then t = x < 1 else t) + (t < 1);
    def elements(x) (for i = cells(x), i < cells(2) in cells(i) = cells(cells(x)) < t) + cells(100);
    many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) | 3;
";

/// Compares what is made of each program in a folder with the files beside it, which have the
/// given extensions.
pub(crate) fn compare_ir(folder: &str, make: impl Fn(&str) -> Vec<(String, String)>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut n_checked = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "kal") {
            continue;
        }
        for (extension, made) in make(&std::fs::read_to_string(&path).unwrap()) {
            let expected = path.with_extension(extension);
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(expected, made).unwrap();
            } else {
                assert_eq!(made, std::fs::read_to_string(&expected).unwrap(), "{}", expected.display());
            }
            n_checked += 1;
        }
    }
    assert_ne!(n_checked, 0);
}
