//! Modules made from program text: well formed at every level, as expected to the letter for a few, and asking the
//! linker for nothing but what they may.
//!
//! `BLESS=1` rewrites the files `ir/*.ll`.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{
    CodeModel, FileType, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple,
};
use kaleidoscope_lang::code::Function;
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::maths::MathsFunction;
use kaleidoscope_lang::names::{Names, State};
use kaleidoscope_lang::reader::Reader;
use kaleidoscope_llvm::{Callee, Effort, OptLevel, Pass, Unit, effort, lower, pipeline, symbols};
use object::{Object, ObjectSymbol};
use std::path::Path;
use std::sync::Arc;

const LEVELS: [OptLevel; 4] = [OptLevel::None, OptLevel::Less, OptLevel::Default, OptLevel::Aggressive];

/// A program, read to its end.
struct Program {
    names: Names,
    functions: Vec<Arc<Function>>,
}

impl Program {
    fn read(text: &str) -> Self {
        let mut names = Names::new();
        let mut functions = Vec::new();
        let mut reader = Reader::new("test");
        reader.push(text);
        reader.finish();
        while let Some(read) = reader.read(&names) {
            let item = read.item.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
            names.commit(&item);
            match item {
                Item::Definition { function, .. } | Item::Expression { function } => functions.push(function),
                _ => {}
            }
        }
        Self { names, functions }
    }

    /// The function that was defined last.
    fn module<'cx>(&self, cx: &'cx Context) -> Module<'cx> {
        self.lower(cx, self.functions.last().expect("the program defines a function"))
    }

    fn lower<'cx>(&self, cx: &'cx Context, function: &Function) -> Module<'cx> {
        let callees = |callee| match self.names.state(callee) {
            State::Maths(maths) => Callee::Maths(maths),
            _ => Callee::SlotSymbol(symbols::slot(&self.names.signature(callee).name)),
        };
        let symbol = symbols::body(&function.name, 1);
        let module = lower(cx, &Unit { function, symbol: &symbol, callees: &callees });
        module.verify().unwrap_or_else(|error| panic!("{error}\n{}", module.to_string()));
        module
    }
}

/// A machine that has no instruction for anything newer than the first x86-64.
fn oldest_machine() -> TargetMachine {
    Target::initialize_x86(&InitializationConfig::default());
    let triple = TargetTriple::create("x86_64-unknown-linux-gnu");
    let target = Target::from_triple(&triple).unwrap();
    let level = OptimizationLevel::Default;
    target.create_target_machine(&triple, "x86-64", "", level, RelocMode::PIC, CodeModel::Small).unwrap()
}

fn optimize(module: &Module<'_>, passes: &[Pass], machine: &TargetMachine) {
    if !passes.is_empty() {
        let names: Vec<_> = passes.iter().map(|pass| pass.as_text()).collect();
        let text = format!("function({})", names.join(","));
        module.run_passes(&text, machine, PassBuilderOptions::create()).unwrap();
        module.verify().unwrap();
    }
}

/// The IR of the function defined last, without the header.
fn ir(text: &str) -> String {
    let cx = Context::create();
    let module = Program::read(text).module(&cx);
    module.to_string()
}

/// What the code of all functions of the program needs from elsewhere, and what it brings, on the oldest machine.
fn linked(text: &str) -> (Vec<String>, Vec<String>) {
    let machine = oldest_machine();
    let program = Program::read(text);
    let (mut needed, mut brought) = (Vec::new(), Vec::new());
    for function in &program.functions {
        for level in LEVELS {
            let cx = Context::create();
            let module = program.lower(&cx, function);
            optimize(&module, pipeline(level, function), &machine);
            let object = machine.write_to_memory_buffer(&module, FileType::Object).unwrap();
            let object = object::File::parse(object.as_slice()).unwrap();
            for symbol in object.symbols().filter(ObjectSymbol::is_global) {
                let name = symbol.name().unwrap().to_owned();
                if symbol.is_undefined() { needed.push(name) } else { brought.push(name) }
            }
        }
    }
    for names in [&mut needed, &mut brought] {
        names.sort();
        names.dedup();
    }
    (needed, brought)
}

#[test]
fn ir_is_as_expected() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ir");
    let mut n_checked = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "kal") {
            continue;
        }
        let made = ir(&std::fs::read_to_string(&path).unwrap());
        let expected = path.with_extension("ll");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(expected, made).unwrap();
        } else {
            assert_eq!(made, std::fs::read_to_string(&expected).unwrap(), "{}", path.display());
        }
        n_checked += 1;
    }
    assert_ne!(n_checked, 0);
}

/// Every construct, in every position that is lowered in a way of its own.
const CONSTRUCTS: &str = "
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
    many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) | 3;
";

#[test]
fn every_construct_is_well_formed_at_every_level() {
    let machine = oldest_machine();
    let program = Program::read(CONSTRUCTS);
    assert_eq!(program.functions.len(), 20);
    for function in &program.functions {
        assert_eq!(effort(function), Effort::Full);
        for level in LEVELS {
            let cx = Context::create();
            optimize(&program.lower(&cx, function), pipeline(level, function), &machine);
        }
    }
}

#[test]
fn a_tail_call_is_a_jump() {
    for name in ["forever", "both", "first", "second", "third"] {
        let program = Program::read(CONSTRUCTS);
        let function = program.functions.iter().find(|function| &*function.name == name).unwrap();
        let cx = Context::create();
        let ir = program.lower(&cx, function).to_string();
        assert!(!ir.contains("call double"), "{ir}");
    }
}

#[test]
fn functions_are_called_through_their_slots_by_themselves_as_well() {
    let ir = ir("def f(x) 1 + f(g(x))");
    for slot in ["f$slot", "g$slot"] {
        assert!(ir.contains(&format!("load atomic ptr, ptr @\"{slot}\" monotonic, align 8")), "{ir}");
    }
}

#[test]
fn an_address_of_a_slot_is_a_constant() {
    let program = Program::read("def f(x) g(x)");
    let function = &program.functions[0];
    let cx = Context::create();
    let callees = |_| Callee::Slot { address: 0x7fff_1234_5678 };
    let module = lower(&cx, &Unit { function, symbol: "f$impl7", callees: &callees });
    module.verify().unwrap();
    let ir = module.to_string();
    assert!(ir.contains("load atomic ptr, ptr inttoptr (i64 140733498807928 to ptr) monotonic"), "{ir}");
}

#[test]
fn bodies_promise_nothing_about_ending() {
    let ir = ir("def f(x) f(x)");
    for attribute in ["nounwind", "\"no-builtins\"", "\"probe-stack\"=\"inline-asm\""] {
        assert!(ir.contains(attribute), "{attribute} in {ir}");
    }
    for attribute in ["mustprogress", "willreturn"] {
        assert!(!ir.contains(attribute), "{attribute} in {ir}");
    }
}

#[test]
fn an_endless_loop_stays() {
    let machine = oldest_machine();
    let cx = Context::create();
    let program = Program::read("def f(x) (for i = 0, 1 in 0) + 1");
    let function = program.functions.last().unwrap();
    let module = program.module(&cx);
    optimize(&module, pipeline(OptLevel::Aggressive, function), &machine);
    assert!(module.to_string().contains("label %loop"));
}

#[test]
fn maths_functions_are_no_names_that_llvm_knows() {
    let (needed, _) =
        linked("def f(x) sin(x) * sin(0) + cos(x) + pow(2, x) + 2 ^ x + fmin(x, 1) + exp(1) + fmod(7, 2)");
    assert_eq!(needed, ["cos", "exp", "fmin", "fmod", "pow", "sin"].map(|name| format!("maths${name}")));
}

#[test]
fn only_listed_symbols_are_needed_beside() {
    let text: String = MathsFunction::ALL
        .iter()
        .map(|maths| format!("def f(x y) {}({});", maths.name(), ["x", "x, y"][maths.arity() as usize - 1]))
        .collect();
    let (needed, _) = linked(&text);
    let (plain, private): (Vec<_>, Vec<_>) = needed.into_iter().partition(|name| !name.contains('$'));
    let mut allowed = symbols::runtime_symbols().to_vec();
    allowed.sort_unstable();
    assert_eq!(plain, allowed);
    // `sqrt` and `fabs` have always been instructions.
    assert_eq!(private.len(), MathsFunction::ALL.len() - allowed.len() - 2);
}

#[test]
fn a_function_of_the_user_is_never_taken_for_one_of_the_c_library() {
    let text = "def cos(x) 42; def floor(x) x; def f(x) cos(0) + floor(1.5)";
    let (needed, brought) = linked(text);
    assert_eq!(needed, ["cos$slot", "floor$slot"]);
    assert_eq!(brought, ["cos$impl1", "f$impl1", "floor$impl1"]);
}

#[test]
fn names_of_operators_survive_in_objects() {
    for sign in ["!", "%", "&", ".", "?", "@", "\\", "|", "~", "@@", ":", "_"] {
        let text = format!("def binary {sign} 5 (x y) x; def unary {sign} (x) x;");
        let functions = Program::read(&text).functions;
        let bodies: Vec<_> = functions.iter().map(|function| symbols::body(&function.name, 1)).collect();
        assert_eq!(linked(&text).1, bodies);
    }
}

#[test]
fn nothing_allows_other_bits() {
    let ir = ir("def f(x y) x * y + x - y / x + sqrt(x) + (if x then y else x)");
    for flag in ["fast", "nnan", "ninf", "nsz", "arcp", "contract", "afn", "reassoc", "fmuladd"] {
        assert!(!ir.split_whitespace().any(|word| word.contains(flag)), "{flag} in {ir}");
    }
}

#[test]
fn depth_of_nesting_takes_no_stack() {
    let n = 9_000;
    let text = format!("def f(x) {}x{}", "if x then ".repeat(n), " else x".repeat(n));
    let program = Program::read(&text);
    std::thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(move || {
            let cx = Context::create();
            let function = &program.functions[0];
            assert_eq!(effort(function), Effort::Quick);
            program.lower(&cx, function);
        })
        .unwrap()
        .join()
        .unwrap();
}
