//! What the compiler makes of program text: code without loose ends, whatever came before, on a small stack. What the
//! code does is tested where code may be run.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;

use kaleidoscope_baseline::{Callee, Code, Compiler, Error, ErrorKind, Heat, Unit, n_cells};
use kaleidoscope_ir::{Function, FunctionId};
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::names::{NameState, Names};
use kaleidoscope_lang::reader::Reader;

const HEAT: Heat = Heat {
    cells: 0x7fff_1111_1110,
    hot: 0x7fff_2222_2222,
    thunk: Some(0x7fff_5555_5555),
    body: 7,
    tail_calls: 5,
};

const SLOT: usize = 0x7fff_3333_3330;

const VARIABLE: usize = 0x7fff_6666_6660;

fn compiler() -> Compiler {
    Compiler::new(|function| 0x7fff_4444_0000 + 16 * function as usize).unwrap()
}

/// The functions that a text defines, with their ids.
fn read(text: &str) -> (Names, Vec<(FunctionId, Arc<Function>)>) {
    let mut names = Names::new();
    names.add_variable("t");
    let mut functions = Vec::new();
    let mut reader = Reader::new("test");
    reader.push(text);
    reader.finish();
    while let Some(read) = reader.read(&names) {
        let item = read.item.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
        names.commit(&item);
        if let Item::Definition { id, function, .. } = item {
            functions.push((id, function));
        }
    }
    (names, functions)
}

/// Compiles the function that the text defines last.
fn compile(compiler: &mut Compiler, text: &str, heat: Option<Heat>) -> Result<Code, Error> {
    let (names, functions) = read(text);
    let (id, function) = functions.last().expect("the text defines a function");
    let callees = |callee| match names.state(callee) {
        NameState::Maths(maths) => Callee::Maths(maths),
        _ => Callee::Slot { address: SLOT },
    };
    compiler.compile(&Unit { function, id: Some(*id), callees: &callees, variables: &|_| VARIABLE, heat })
}

/// How often a number stands in the code.
fn n_times(code: &Code, number: usize) -> usize {
    code.bytes.windows(8).filter(|bytes| *bytes == number.to_le_bytes()).count()
}

const TEXTS: [&str; 6] = [
    "def f(x) x + 1",
    "def f(x y) if x < y then f(y, x) else f(x, sin(y)) + x ^ y",
    "def f(x) var a = 1 in (for i = 0, i < x in (for j = i, j < x, 2 in a = a + sqrt(j))) + a",
    "def f(a b c d e f g h i j k) if a then f(b, c, d, e, f, g, h, i, j, k, a) else i + j * k",
    "def f() 1.5",
    "def f(x) for i = 0, t < x in t = t + i",
];

#[test]
fn the_same_function_gives_the_same_code_whatever_came_before() {
    let mut used = compiler();
    for _ in 0..2 {
        for text in TEXTS {
            for heat in [None, Some(HEAT)] {
                let fresh = compile(&mut compiler(), text, heat).unwrap();
                assert_eq!(compile(&mut used, text, heat).unwrap().bytes, fresh.bytes, "{text}");
            }
        }
    }
}

#[test]
fn functions_are_called_through_their_slots_by_themselves_as_well() {
    let code = compile(&mut compiler(), "def f(x) 1 + f(g(x))", None).unwrap();
    assert_eq!(n_times(&code, SLOT), 2);
}

#[test]
fn variables_of_the_host_are_where_they_are_said_to_be() {
    let code = compile(&mut compiler(), "def f(x) (t = x) + t", None).unwrap();
    assert!(n_times(&code, VARIABLE) > 0);
}

#[test]
fn a_tail_call_is_a_jump() {
    let code = compile(&mut compiler(), "def f(x y) if x < y then f(y, x) else f(x, y + 1)", None).unwrap();
    assert_eq!(n_times(&code, SLOT), 0);
}

#[test]
fn only_what_was_asked_for_is_counted() {
    let cell = |number: usize| HEAT.cells + 8 * number;
    let text = "def f(x) (for i = 0, i < x in for j = 0, j < x in i) + (for k = 0, k < x in k)";
    for (heat, n) in [(None, 0), (Some(HEAT), 1)] {
        let code = compile(&mut compiler(), text, heat).unwrap();
        assert!((0..7).all(|number| n_times(&code, cell(number)) == n));
        assert_eq!(n_times(&code, cell(7)), 0);
    }
}

#[test]
fn there_is_a_pair_of_cells_for_each_loop_and_one_for_entries() {
    for (text, n) in [
        ("def f(x) x", 1),
        ("def f(x) f(x) + 1", 1),
        ("def f(x) (for i = 0, i < x in for j = 0, j < x in i) + (for k = 0, k < x in k)", 7),
        ("def f(x) if x then f(x - 1) else f(x - 2)", 1),
        ("def f(x) if (for i = 0, i < x in i) then f(x - 1) else 2", 3),
    ] {
        assert_eq!(n_cells(&read(text).1[0].1), n, "{text}");
    }
}

#[test]
fn a_function_that_is_too_large_is_refused_and_the_next_one_is_not() {
    let mut compiler = compiler();
    let large = format!("def f(x) x{}", "+(for i = 0, i < x in x = i)".repeat(6_000));
    let error = compile(&mut compiler, &large, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(error.to_string(), "`f` is too large to be compiled quickly");
    compile(&mut compiler, TEXTS[0], None).unwrap();
}

#[test]
fn large_functions_are_compiled_in_another_way() {
    let (_, functions) = read("def f(x) var s = 0 in (for i = 0, i < x in s = s + i) + s");
    let compile = |function: &Function| {
        let callees = |_| Callee::Slot { address: SLOT };
        compiler()
            .compile(&Unit { function, id: None, callees: &callees, variables: &|_| VARIABLE, heat: None })
            .unwrap()
    };
    let small = &*functions[0].1;
    // The weight is what counts, and to it the values that a function says it has at once.
    let mut large = small.clone();
    large.max_stack = 100_000;
    assert!(compile(&large).bytes.len() > compile(small).bytes.len());
}

#[test]
fn a_small_stack_is_enough() {
    let n = 2_000;
    let texts = [
        format!("def f(x) {}x{}", "if x then ".repeat(n), " else x".repeat(n)),
        format!("def f(x) {}x{}", "if ".repeat(n), " then 1 else 2".repeat(n)),
        format!("def f(x) {}x{}", "x * 2 + (".repeat(n), ")".repeat(n)),
        format!("def f(x) {}x{}", "f(".repeat(n), ")".repeat(n)),
        format!("def f(x) {}x", "for i = 0, i < x in ".repeat(n / 10)),
        format!("def f(x) x{}", "+(if x < 1 then x = 2 else f(x))".repeat(n)),
    ];
    let body = move || {
        let mut compiler = compiler();
        for text in &texts {
            for heat in [None, Some(HEAT)] {
                compile(&mut compiler, text, heat).unwrap();
            }
        }
    };
    // Without optimisation Cranelift's own frames are several times as large.
    let stack = if cfg!(debug_assertions) { 1 << 20 } else { 128 << 10 };
    std::thread::Builder::new().stack_size(stack).spawn(body).unwrap().join().unwrap();
}

#[test]
fn a_compiler_can_be_handed_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Compiler>();
    is_send::<Code>();
    is_send::<Error>();
}
