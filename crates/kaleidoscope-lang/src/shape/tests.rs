//! Which variables need a phi, for functions read from text.

use super::Shape;
use crate::item::Item;
use crate::names::Names;
use crate::reader::Reader;

/// Checks which variables each `if` and `for` assigns, in order of appearance.
#[track_caller]
fn check(text: &str, expected: &[&[&str]]) {
    let mut reader = Reader::new("test");
    reader.push(text);
    reader.finish();
    let read = reader.read(&Names::new()).expect("there is an item");
    let Some(Item::Definition { function, .. }) = read.item else { panic!("{:?}", read.diagnostics) };
    let shape = Shape::of(&function, usize::MAX).unwrap();
    let assigned: Vec<Vec<&str>> = shape
        .assigned
        .iter()
        .map(|variables| variables.iter().map(|variable| &*function.locals[variable.index()]).collect())
        .collect();
    assert_eq!(assigned, expected);
}

#[test]
fn a_loop_assigns_its_variable() {
    check("def f(x) for i = 0, i < x in 1", &[&["i"]]);
}

#[test]
fn inner_variables_are_none_of_the_outer_loops() {
    check("def f(x) for i = 0, i < x in for j = 0, j < i in x = x + j", &[&["x", "i"], &["x", "j"]]);
    check("def f(x) for i = 0, i < x in var a = i in a = a + 1", &[&["i"]]);
}

#[test]
fn both_branches_count() {
    check("def f(x y) var z in if x then x = 1 else (z = 2)", &[&["x", "z"]]);
    check("def f(x y) if x then (if y then y = 1 else 0) else x", &[&["y"], &["y"]]);
}

#[test]
fn a_condition_is_outside() {
    check("def f(x) if x = 1 then 2 else 3", &[&[]]);
}

#[test]
fn too_many_phis_end_the_search() {
    let mut reader = Reader::new("test");
    reader.push("def f(x) for i = 0, i < x in x = x + i");
    reader.finish();
    let Some(Item::Definition { function, .. }) = reader.read(&Names::new()).unwrap().item else { panic!() };
    assert!(Shape::of(&function, 1).is_none());
    assert!(Shape::of(&function, 2).is_some());
}
