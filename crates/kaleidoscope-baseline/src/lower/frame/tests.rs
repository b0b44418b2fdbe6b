//! The functions whose variables are in the frame.

use cranelift_codegen::ir;
use kaleidoscope_testkit::Program;

use crate::Counters;
use crate::lower::{Maths, lower};

/// Cranelift's IR of the function that the text defines last.
fn lowered(text: &str, counters: Option<&Counters>) -> ir::Function {
    let program = Program::read(text);
    let unit = program.unit(program.last());
    let mut func = ir::Function::new();
    lower(&mut func, &unit, counters, None, &Maths::new(|_| 16, true));
    func
}

/// Whether no block of the function is given a value, but the first.
fn has_frame(text: &str, counters: Option<&Counters>) -> bool {
    let func = lowered(&format!("def g(x) x; {text}"), counters);
    func.layout.blocks().skip(1).all(|block| func.dfg.block_params(block).is_empty())
}

const COUNTERS: Counters =
    Counters { table: 64, on_trip: 32, trip_thunk: Some(48), code_number: 7, tail_calls: 5 };

#[test]
fn variables_are_in_the_frame_where_each_loop_calls_in_every_iteration() {
    for text in [
        "def f(n) for i = 0, i < n in g(i)",
        "def f(n) for i = 0, g(i) < n in i",
        "def f(n) for i = 0, i < n in for j = 0, j < n in g(j)",
        "def f(n) var s = 0 in (for i = 0, i < n in s = s + g(i)) + (for j = 0, j < s in g(j))",
    ] {
        assert!(has_frame(text, Some(&COUNTERS)), "{text}");
        assert!(!has_frame(text, None), "{text}");
    }
}

#[test]
fn they_are_values_where_a_loop_might_keep_them_in_registers() {
    for text in [
        "def f(n) for i = 0, i < n in i",
        "def f(n) for i = 0, i < n in sin(i)",
        "def f(n) for i = 0, i < n in if i then g(i) else i",
        "def f(n) g(for i = 0, i < n in i)",
        "def f(n) for i = 0, i < n in g(for j = 0, j < n in j)",
    ] {
        assert!(!has_frame(text, Some(&COUNTERS)), "{text}");
    }
}
