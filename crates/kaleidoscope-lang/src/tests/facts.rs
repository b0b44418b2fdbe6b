//! Facts of functions that are read from text: the variables that each bracket assigns and that
//! each loop needs.

use crate::item::Item;
use crate::names::Names;
use crate::reader::Reader;
use kaleidoscope_ir::facts::AssignedSets;
use kaleidoscope_ir::{Function, Local, Op};
use std::sync::Arc;

/// The function that a text defines.
fn function(text: &str) -> Arc<Function> {
    let mut reader = Reader::new("test");
    reader.push(text);
    reader.finish();
    let read = reader.read(&Names::new()).expect("there is an item");
    let Some(Item::Definition { function, .. }) = read.item else { panic!("{:?}", read.diagnostics) };
    function
}

/// Checks which variables each `if` and `for` assigns, in order of appearance.
#[track_caller]
fn check(text: &str, expected: &[&[&str]]) {
    let function = function(text);
    let assigned: &AssignedSets = &function.facts().assigned;
    let assigned: Vec<Vec<&str>> = (0..assigned.len())
        .map(|bracket| assigned[bracket].iter().map(|local| &*function.locals[local.index()]).collect())
        .collect();
    assert_eq!(assigned, expected);
}

#[test]
fn a_loop_assigns_its_variable() {
    check("def f(x) for i = 0, i < x in 1", &[&["i"]]);
}

#[test]
fn outer_loops_do_not_assign_inner_variables() {
    check("def f(x) for i = 0, i < x in for j = 0, j < i in x = x + j", &[&["x", "i"], &["x", "j"]]);
    check("def f(x) for i = 0, i < x in var a = i in a = a + 1", &[&["i"]]);
}

#[test]
fn both_branches_count() {
    check("def f(x y) var z in if x then x = 1 else (z = 2)", &[&["x", "z"]]);
    check("def f(x y) if x then (if y then y = 1 else 0) else x", &[&["y"], &["y"]]);
}

#[test]
fn a_condition_is_outside_its_bracket() {
    check("def f(x) if x = 1 then 2 else 3", &[&[]]);
}

/// Checks what each loop has to do with variables around it: those it needs, and those it assigns.
#[track_caller]
fn check_loops(text: &str, expected: &[(&[&str], &[&str])]) {
    let function = function(text);
    let facts = function.facts();
    let names = |variables: &[Local]| -> Vec<_> {
        variables.iter().map(|variable| function.locals[variable.index()].to_string()).collect()
    };
    assert_eq!(facts.loops.len(), expected.len());
    for (nth, (needed, assigned)) in expected.iter().enumerate() {
        let found = &facts.loops[nth];
        assert_eq!(function.ops[found.header.index()], Op::Loop);
        let Op::Next { header, .. } = function.ops[found.next.index()] else { panic!("no end: {found:?}") };
        assert_eq!(header, found.header);
        assert_eq!(names(&found.variables(&function)), *needed, "loop {nth}");
        assert_eq!(names(&facts.assigned[found.bracket]), *assigned, "loop {nth}");
    }
}

#[test]
fn a_loop_alone_needs_what_was_set_before() {
    check_loops("def f(x y) x", &[]);
    check_loops("def f(x y) for i = y, 1 in x", &[(&["x", "i"], &["i"])]);
    check_loops("def f(x y) for i = 0, i < 9 in var a = i in a = y", &[(&["y", "i"], &["i"])]);
}

#[test]
fn loops_are_counted_as_they_appear() {
    check_loops(
        "def f(x y) var a = y in (if x then for i = 0, i < x in a = i else for i = 0, y in 3) +
         (for j = 0, j < a in for k = j, k < 3 in x = a)",
        &[
            (&["x", "a", "i"], &["a", "i"]),
            (&["y", "i"], &["i"]),
            (&["x", "a", "j"], &["x", "j"]),
            (&["x", "a", "k"], &["x", "k"]),
        ],
    );
}
