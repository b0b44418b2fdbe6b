//! Positions of operations, and scopes of variables.

use std::sync::Arc;

use crate::item::Item;
use crate::names::Names;
use crate::reader::Reader;
use kaleidoscope_ir::{Function, OpIdx};

/// The functions of a text.
fn functions(text: &str, has_positions: bool) -> Vec<Arc<Function>> {
    let (mut names, mut reader) = (Names::new(), Reader::new("file.kal"));
    if has_positions {
        reader.keep_positions("/folder");
    }
    reader.push(text);
    reader.finish();
    let mut functions = Vec::new();
    while let Some(read) = reader.read(&names) {
        let item = read.item.unwrap();
        names.commit(&item);
        match item {
            Item::Definition { function, .. } | Item::Expression { function } => functions.push(function),
            _ => {}
        }
    }
    functions
}

const TEXT: &str = "def binary : 1 (x y) y;
def f(x)
  var a = 1, b = x in
    (for i = 0, i < x in
      a = a + i) :
    if a < b then
      a * b
    else
      f(a);
  f(
   1 + 2);
";

#[test]
fn each_operation_has_the_line_of_its_expression() {
    let functions = functions(TEXT, true);
    let [_, f, expression] = &*functions else { panic!("three functions") };
    let positions = f.positions().unwrap();
    assert_eq!((&*positions.file, &*positions.directory), ("file.kal", "/folder"));
    assert_eq!((positions.definition.line, positions.definition.column), (2, 1));
    let lines: Vec<_> = positions.ops.iter().map(|position| position.line).collect();
    let listed: Vec<_> = f.ops.iter().zip(&lines).map(|(op, line)| format!("{line} {op:?}")).collect();
    assert_eq!(lines.len(), f.ops.len());
    let of = |op: &str| lines[f.ops.iter().position(|found| format!("{found:?}").starts_with(op)).unwrap()];
    assert_eq!((of("Loop"), of("Next"), of("If")), (4, 4, 6), "{listed:#?}");
    // Lines go back for the step and condition of the loop, and at the end for the call of `:`.
    let n_back = lines.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert_eq!((n_back, lines.last()), (2, Some(&6)), "{listed:#?}");
    let lines: Vec<_> = expression.positions().unwrap().ops.iter().map(|position| position.line).collect();
    assert_eq!(lines, [11, 11, 11, 10]);
}

#[test]
fn scopes_begin_behind_the_assignment_and_are_nested() {
    let functions = functions(TEXT, true);
    let f = &functions[1];
    let positions = f.positions().unwrap();
    let scopes: Vec<_> = positions
        .scopes
        .iter()
        .map(|scope| (&*f.locals[scope.variable.index()], scope.position.line, scope.end))
        .collect();
    let end = OpIdx::new(f.ops.len() as u32);
    let of_loop = f.ops.iter().position(|op| format!("{op:?}").starts_with("Next")).unwrap();
    // Behind the back edge comes the value of the loop.
    let of_loop = OpIdx::new(of_loop as u32 + 2);
    assert_eq!(scopes, [("a", 3, end), ("b", 3, end), ("i", 4, of_loop)]);
    for scope in &positions.scopes {
        assert_eq!(f.ops[scope.begin.index() - 1].assigned_local(), Some(scope.variable));
    }
}

#[test]
fn positions_are_kept_on_request_and_are_no_part_of_a_function() {
    let (with, without) = (functions(TEXT, true), functions(TEXT, false));
    assert!(without.iter().all(|function| function.positions().is_none()));
    assert_eq!(with, without);
}
