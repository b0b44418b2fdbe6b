//! Which functions have their variables in the frame.

use std::sync::Arc;

use cranelift_codegen::ir;
use kaleidoscope_ir::Facts;
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::names::{NameState, Names};
use kaleidoscope_lang::reader::Reader;

use crate::lower::{Maths, lower};
use crate::{Callee, Heat, Unit};

/// Cranelift's IR of the function that the text defines last.
fn lowered(text: &str, heat: Option<Heat>) -> ir::Function {
    let mut names = Names::new();
    let mut reader = Reader::new("test");
    reader.push(text);
    reader.finish();
    let mut last = None;
    while let Some(read) = reader.read(&names) {
        let item = read.item.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
        names.commit(&item);
        if let Item::Definition { id, function, .. } = item {
            last = Some((id, Arc::clone(&function)));
        }
    }
    let (id, function) = last.expect("the text defines a function");
    let callees = |callee| match names.state(callee) {
        NameState::Maths(maths) => Callee::Maths(maths),
        _ => Callee::Slot { address: 8 },
    };
    let variables = |_| unreachable!("there are no variables of the host");
    let unit = Unit { function: &function, id: Some(id), callees: &callees, variables: &variables, heat };
    let mut func = ir::Function::new();
    lower(&mut func, &unit, &Facts::of(&function, usize::MAX).unwrap(), &Maths::new(|_| 16, true));
    func
}

/// Whether no block of the function is given a value, but the first.
fn has_frame(text: &str, heat: Option<Heat>) -> bool {
    let func = lowered(&format!("def g(x) x; {text}"), heat);
    func.layout.blocks().skip(1).all(|block| func.dfg.block_params(block).is_empty())
}

const HEAT: Heat = Heat { cells: 64, hot: 32, thunk: Some(48), body: 7, tail_calls: 5 };

#[test]
fn variables_are_in_the_frame_where_each_loop_calls_in_every_turn() {
    for text in [
        "def f(n) for i = 0, i < n in g(i)",
        "def f(n) for i = 0, g(i) < n in i",
        "def f(n) for i = 0, i < n in for j = 0, j < n in g(j)",
        "def f(n) var s = 0 in (for i = 0, i < n in s = s + g(i)) + (for j = 0, j < s in g(j))",
    ] {
        assert!(has_frame(text, Some(HEAT)), "{text}");
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
        assert!(!has_frame(text, Some(HEAT)), "{text}");
    }
}
