//! Debug information: well formed for everything that is lowered, before and after the passes, and
//! with the names, lines and scopes of the source.

use crate::optimized::{CALLS, INVALIDATION, LIMITS, entries, passes};
use crate::program::{CONSTRUCTS, lower_optimized, lower_unit, oldest_machine, optimize};
use inkwell::context::Context;
use kaleidoscope_ir::compile::{CodeKind, Unit};
use kaleidoscope_testkit::Program;

#[test]
fn it_is_well_formed_everywhere() {
    let machine = oldest_machine();
    for text in [CONSTRUCTS, CALLS] {
        let program = Program::with_positions(text);
        for function in &program.functions {
            let cx = Context::create();
            lower_unit(&cx, &program, &program.unit(function));
            for kind in entries(function) {
                let unit = program.optimized_unit(function, kind, LIMITS);
                let unit = Unit { invalidation: Some(INVALIDATION), ..unit };
                optimize(&lower_unit(&cx, &program, &unit), passes(kind), &machine);
            }
        }
    }
}

/// Whether a line of the IR has all of these texts.
#[track_caller]
fn check_line(ir: &str, texts: &[&str]) {
    assert!(ir.lines().any(|line| texts.iter().all(|text| line.contains(text))), "{texts:?} in {ir}");
}

#[test]
fn it_has_names_lines_scopes_and_inlined_calls() {
    let program = Program::with_positions(
        "def square(x)
           x * x;
         def f(n)
           var a = 1 in
             (for i = 0, i < n in
               a = a + square(i)) +
             a;",
    );
    let cx = Context::create();
    let module = lower_optimized(&cx, &program, program.last(), CodeKind::Function, LIMITS);
    let ir = module.to_string();
    check_line(&ir, &["!DIFile(filename: \"test.kal\", directory: \"/source\")"]);
    check_line(&ir, &["distinct !DISubprogram(name: \"f\"", "line: 3"]);
    check_line(&ir, &["distinct !DISubprogram(name: \"square\"", "line: 1"]);
    check_line(&ir, &["!DILocalVariable(name: \"n\", arg: 1", "line: 3"]);
    check_line(&ir, &["!DILocalVariable(name: \"x\", arg: 1", "line: 1"]);
    check_line(&ir, &["!DILocalVariable(name: \"a\"", "line: 4"]);
    check_line(&ir, &["!DILocalVariable(name: \"i\"", "line: 5"]);
    check_line(&ir, &["!DILexicalBlock(", "line: 5"]);
    check_line(&ir, &["!DILocation(line: 2", "inlinedAt: "]);
    // The passes keep the values of variables, and not the memory.
    optimize(&module, passes(CodeKind::Function), &oldest_machine());
    let ir = module.to_string();
    assert!(ir.contains("#dbg_value(double") && !ir.contains("alloca double"), "{ir}");
}

#[test]
fn functions_without_positions_have_none() {
    let program = Program::read("def f(x) x + 1");
    let cx = Context::create();
    let ir = lower_unit(&cx, &program, &program.unit(program.last())).to_string();
    assert!(!ir.contains("!DI") && !ir.contains("!dbg"), "{ir}");
}
