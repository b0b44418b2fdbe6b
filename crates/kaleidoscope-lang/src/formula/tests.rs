//! Formulas: what they become, and what is said of wrong ones.

use super::read_formula;
use crate::diagnostic::Code;
use crate::item::Item;
use crate::names::Names;

#[test]
fn a_formula_is_a_function_of_its_parameters_in_their_order() {
    let read = read_formula(" b - a ; ", "$formula1".into(), &["a", "b", "unused"], &Names::new());
    assert_eq!(read.diagnostics, []);
    let Some(Item::Definition { function, new_functions, .. }) = read.item else { panic!("no definition") };
    assert_eq!((&*function.name, function.n_params, function.locals.len()), ("$formula1", 3, 3));
    assert_eq!((&*new_functions[0].name, new_functions[0].arity), ("$formula1", 3));
}

#[test]
fn what_is_wrong_with_a_formula_is_said() {
    let names = Names::new();
    let cases: &[(&str, &[&str], &[Code])] = &[
        ("x +", &["x"], &[Code::UnexpectedEnd]),
        ("", &[], &[Code::UnexpectedEnd]),
        ("x; x", &["x"], &[Code::UnexpectedToken]),
        ("x y", &["x", "y"], &[Code::UnexpectedToken]),
        ("def f(x) x", &["x"], &[Code::ExpectedExpression]),
        ("y", &["x"], &[Code::UnknownVariable]),
        ("f(x)", &["x"], &[Code::UnknownFunction]),
        ("sin(x, x)", &["x"], &[Code::WrongArgumentCount]),
        ("1", &["2x", "for", "a b", " a", "ä", ""], &[Code::UnexpectedToken; 6]),
        ("1", &["x", "y", "x"], &[Code::RepeatedParameter]),
    ];
    for &(text, parameters, expected) in cases {
        let read = read_formula(text, "$formula1".into(), parameters, &names);
        let codes: Vec<_> = read.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, expected, "{text}");
        assert!(read.item.is_none(), "{text}");
    }
}
