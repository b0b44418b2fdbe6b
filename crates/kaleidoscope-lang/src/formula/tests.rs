//! Formulas: what they become, and what is said of wrong ones.

use super::read_formula;
use crate::diagnostic::DiagnosticCode;
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
fn mistakes_in_formulas_are_reported() {
    let names = Names::new();
    let cases: &[(&str, &[&str], &[DiagnosticCode])] = &[
        ("x +", &["x"], &[DiagnosticCode::UnexpectedEnd]),
        ("", &[], &[DiagnosticCode::UnexpectedEnd]),
        ("x; x", &["x"], &[DiagnosticCode::UnexpectedToken]),
        ("x y", &["x", "y"], &[DiagnosticCode::UnexpectedToken]),
        ("def f(x) x", &["x"], &[DiagnosticCode::ExpectedExpression]),
        ("y", &["x"], &[DiagnosticCode::UnknownVariable]),
        ("f(x)", &["x"], &[DiagnosticCode::UnknownFunction]),
        ("sin(x, x)", &["x"], &[DiagnosticCode::WrongArgumentCount]),
        ("1", &["2x", "for", "a b", " a", "ä", ""], &[DiagnosticCode::UnexpectedToken; 6]),
        ("1", &["x", "y", "x"], &[DiagnosticCode::RepeatedParameter]),
    ];
    for &(text, parameters, expected) in cases {
        let read = read_formula(text, "$formula1".into(), parameters, &names);
        let codes: Vec<_> = read.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, expected, "{text}");
        assert!(read.item.is_none(), "{text}");
    }
}
