//! Standalone code: modules of one function.
//!
//! `BLESS=1` rewrites the files `ir/*.ll`.

use crate::program::{CONSTRUCTS, LEVELS, compare_ir, last_module, lower_unit, oldest_machine, optimize};
use inkwell::context::Context;
use inkwell::targets::FileType;
use kaleidoscope_ir::MathsFunction;
use kaleidoscope_ir::compile::{CodeKind, InliningBudget, KnownMaths, Optimization, Unit};
use kaleidoscope_llvm::{Effort, References, effort, lower, pipeline, symbols};
use kaleidoscope_testkit::{BAD_INDEX, HOST_ARRAY_ADDRESS, HOST_ARRAY_LEN, HOST_VARIABLE, Program, slot};
use object::{Object, ObjectSymbol};

/// The IR of the function defined last, without the header.
fn ir(text: &str) -> String {
    let cx = Context::create();
    last_module(&cx, &Program::read(text)).to_string()
}

/// What the code of all functions of the program needs from elsewhere, and what it brings, on the
/// oldest machine.
fn linked(text: &str) -> (Vec<String>, Vec<String>) {
    let machine = oldest_machine();
    let program = Program::read(text);
    let (mut needed, mut brought) = (Vec::new(), Vec::new());
    for function in &program.functions {
        let unit = program.unit(function);
        for level in LEVELS {
            let cx = Context::create();
            let module = lower_unit(&cx, &program, &unit);
            optimize(&module, pipeline(&unit, level), &machine);
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

/// Calls with constant arguments that the engine has made are numbers, also in inlinees.
#[test]
fn known_results_of_maths_functions_need_no_call() {
    let program = Program::read("def f(x) sin(x); def g(x) f(1 / 4) * x + 2 ^ 0.5 + atan2(1, x)");
    let budget = InliningBudget { callee_ops: 100, copied_ops: 100, ..InliningBudget::NOTHING };
    let mut unit = program.optimized_unit(program.last(), CodeKind::Function, budget);
    let lowered = |unit: &Unit| {
        let cx = Context::create();
        lower_unit(&cx, &program, unit).to_string()
    };
    let calls = |ir: &str| {
        [MathsFunction::Sin, MathsFunction::Pow, MathsFunction::Atan2].map(|function| {
            let symbol = symbols::maths(function);
            ir.lines().filter(|line| line.contains(" call ") && line.contains(&symbol)).count()
        })
    };
    assert_eq!(calls(&lowered(&unit)), [1, 1, 1]);
    unit.known_maths = KnownMaths::of(&unit, |_, args| args[0] + 1234.5);
    assert_eq!(unit.known_maths.len(), 2);
    assert_eq!(calls(&lowered(&unit)), [0, 0, 1]);
}

#[test]
fn ir_is_as_expected() {
    compare_ir("tests/ir", |text| vec![("ll".to_owned(), ir(text))]);
}

#[test]
fn every_construct_is_well_formed_at_every_level() {
    let machine = oldest_machine();
    let program = Program::read(CONSTRUCTS);
    assert_eq!(program.functions.len(), 22);
    for function in &program.functions {
        let unit = program.unit(function);
        assert_eq!(effort(&unit), Effort::Full);
        for level in LEVELS {
            let cx = Context::create();
            optimize(&lower_unit(&cx, &program, &unit), pipeline(&unit, level), &machine);
        }
    }
}

#[test]
fn a_tail_call_is_a_jump() {
    for name in ["forever", "both", "first", "second", "third"] {
        let program = Program::read(CONSTRUCTS);
        let function = program.functions.iter().find(|function| &*function.name == name).unwrap();
        let cx = Context::create();
        let ir = lower_unit(&cx, &program, &program.unit(function)).to_string();
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
    let program = Program::read("def g(x) x; def f(x) g(x)");
    let cx = Context::create();
    let (module, _) = lower(&cx, &program.unit(program.last()), "f$impl7", References::Addresses);
    module.verify().unwrap();
    let ir = module.to_string();
    let slot = slot(program.names.current("g").unwrap());
    assert!(ir.contains(&format!("load atomic ptr, ptr inttoptr (i64 {slot} to ptr) monotonic")), "{ir}");
}

#[test]
fn variables_of_the_host_are_read_and_written_where_they_are() {
    let ir = ir("def f(x) t = t + x");
    assert!(ir.contains("load atomic double, ptr @\"t$host\" monotonic, align 8"), "{ir}");
    assert!(ir.contains("store atomic double %1, ptr @\"t$host\" monotonic, align 8"), "{ir}");

    let program = Program::read("def f(x) t");
    let cx = Context::create();
    let (module, _) = lower(&cx, &program.unit(program.last()), "f$impl7", References::Addresses);
    module.verify().unwrap();
    let ir = module.to_string();
    let address = format!("load atomic double, ptr inttoptr (i64 {HOST_VARIABLE} to ptr) monotonic");
    assert!(ir.contains(&address), "{ir}");
}

/// What another thread does between two accesses is seen at every level: nothing moves out of a
/// loop, or is left out.
#[test]
fn each_access_of_a_variable_of_the_host_stays_in_its_loop() {
    let machine = oldest_machine();
    let program = Program::read("def f(x) for i = 0, t in (t = x) + (t = x)");
    let unit = program.unit(program.last());
    let nothing = InliningBudget::NOTHING;
    let optimized = program.optimized_unit(program.last(), CodeKind::Function, nothing);
    let optimized = pipeline(&optimized, Optimization::Default);
    for passes in LEVELS.map(|level| pipeline(&unit, level)).into_iter().chain([optimized]) {
        let cx = Context::create();
        let module = last_module(&cx, &program);
        optimize(&module, passes, &machine);
        let ir = module.to_string();
        let (_, in_loop) = ir.split_once("loop:").unwrap();
        let (in_loop, _) = in_loop.split_once("after:").unwrap();
        assert_eq!(in_loop.matches("store atomic").count(), 2, "{ir}");
        assert_eq!(in_loop.matches("load atomic").count(), 1, "{ir}");
        assert_eq!(ir.matches(" atomic ").count(), 3, "{ir}");
    }
}

#[test]
fn elements_of_arrays_are_read_and_written_where_they_are() {
    let ir = ir("def f(x) cells(2.5) = cells(x)");
    for part in ["cells$array", "load atomic double", "store atomic double"] {
        assert!(ir.contains(part), "{ir}");
    }
    // A literal index needs no check.
    assert_eq!(ir.matches("icmp uge").count(), 1, "{ir}");
    assert_eq!(ir.matches("call double @\"$bad_index\"").count(), 1, "{ir}");

    let program = Program::read("def f(x) cells(x)");
    let cx = Context::create();
    let (module, _) = lower(&cx, &program.unit(program.last()), "f$impl7", References::Addresses);
    module.verify().unwrap();
    let ir = module.to_string();
    for part in [HOST_ARRAY_ADDRESS.to_string(), HOST_ARRAY_LEN.to_string(), BAD_INDEX.to_string()] {
        assert!(ir.contains(&part), "{ir}");
    }
}

/// The variable of a counted loop is an index without a conversion, also in an inlinee.
#[test]
fn a_counter_is_an_index() {
    let text = "def g(i) cells(i); def f(n) for i = 0, i < n in g(i) = cells(i)";
    let program = Program::read(&text.replace("g(i) = ", "cells(i) = 1 + g(i) + "));
    let budget = InliningBudget { callee_ops: 100, copied_ops: 100, ..InliningBudget::NOTHING };
    let unit = program.optimized_unit(program.last(), CodeKind::Function, budget);
    let cx = Context::create();
    let ir = lower_unit(&cx, &program, &unit).to_string();
    assert_eq!(ir.matches("icmp uge").count(), 3, "{ir}");
    assert!(!ir.contains("cvttsd2si"), "{ir}");
}

/// So is that of a loop that begins beside the variable of a counted loop around it.
#[test]
fn a_counter_that_begins_beside_another_is_an_index() {
    let is_counted = |start: &str| {
        let text = format!("def f(n) for i = 0, i < n in for j = {start}, j < n in cells(j) = cells(i)");
        let program = Program::read(&text);
        let budget = InliningBudget { callee_ops: 100, copied_ops: 100, ..InliningBudget::NOTHING };
        let unit = program.optimized_unit(program.last(), CodeKind::Function, budget);
        let cx = Context::create();
        !lower_unit(&cx, &program, &unit).to_string().contains("cvttsd2si")
    };
    for start in ["i", "i + 1", "1 + i", "i - 1"] {
        assert!(is_counted(start), "{start}");
    }
    for start in ["i + 2", "i * 1", "i + 0.5", "n", "i - n"] {
        assert!(!is_counted(start), "{start}");
    }
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
    let module = last_module(&cx, &program);
    let passes = pipeline(&program.unit(program.last()), Optimization::Aggressive);
    optimize(&module, passes, &machine);
    assert!(module.to_string().contains("label %loop"));
}

#[test]
fn maths_functions_are_no_names_that_llvm_knows() {
    let (needed, _) =
        linked("def f(x) sin(x) * sin(0) + cos(x) + pow(2, x) + 2 ^ x + fmin(x, 1) + exp(1) + fmod(7, 3)");
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
        let bodies: Vec<_> = functions.iter().map(|function| symbols::code(&function.name, 1)).collect();
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
            let unit = program.unit(program.last());
            assert_eq!(effort(&unit), Effort::Quick);
            lower_unit(&cx, &program, &unit);
        })
        .unwrap()
        .join()
        .unwrap();
}
