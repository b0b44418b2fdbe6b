//! The limits, at shapes that LLVM is slow for.

use super::{Effort, Unit, effort};
use kaleidoscope_ir::{Arithmetic, Function, FunctionId, Local, Op, OpIdx};
use std::collections::BTreeMap;
use std::sync::Arc;

const X: Local = Local::new(0);

fn function(n_locals: usize, ops: Vec<Op>) -> Function {
    let max_stack = u32::try_from(ops.len()).unwrap();
    Function::new("f", 1, vec!["x".into(); n_locals], ops, max_stack)
}

fn repeated(first: &[Op], each: &[Op], n: usize) -> Function {
    function(1, [first, &each.repeat(n)].concat())
}

fn chain(n: usize) -> Function {
    repeated(&[Op::Get(X)], &[Op::Get(X), Op::Arithmetic(Arithmetic::Add)], n)
}

fn calls(n: usize) -> Function {
    repeated(&[Op::Get(X)], &[Op::Call { callee: FunctionId::new(1), n_args: 1 }], n)
}

/// Loops in each other, and the variables of all outer ones assigned in the innermost.
fn loops(depth: usize) -> Function {
    let variables: Vec<_> = (1..).take(depth).map(Local::new).collect();
    let mut ops = Vec::new();
    let mut headers = Vec::new();
    for variable in &variables {
        ops.extend([Op::Number(0.0), Op::Set(*variable), Op::Drop]);
        headers.push(OpIdx::new(u32::try_from(ops.len()).unwrap()));
        ops.push(Op::Loop);
    }
    ops.push(Op::Get(X));
    for variable in &variables {
        ops.push(Op::Set(*variable));
    }
    for (variable, header) in variables.iter().zip(headers).rev() {
        ops.extend([Op::Drop, Op::Number(1.0), Op::Get(X)]);
        ops.extend([Op::Next { variable: *variable, header }, Op::Number(0.0)]);
    }
    function(depth + 1, ops)
}

#[track_caller]
fn check(function: Function, expected: Effort) {
    let unit = Unit::new(Arc::new(function), None, 1, BTreeMap::new(), BTreeMap::new());
    assert_eq!(effort(&unit), expected);
}

#[test]
fn what_people_write_is_compiled_in_full() {
    check(chain(1_000), Effort::Full);
    check(calls(1_000), Effort::Full);
    check(loops(10), Effort::Full);
}

#[test]
fn long_functions_are_compiled_quickly() {
    check(chain(10_000), Effort::Quick);
    check(calls(10_000), Effort::Quick);
}

#[test]
fn endless_functions_are_refused() {
    check(chain(1_000_000), Effort::Refuse);
    check(calls(50_000), Effort::Refuse);
}

#[test]
fn variables_assigned_in_depth_count_at_each_level() {
    check(loops(250), Effort::Quick);
    check(loops(2_000), Effort::Refuse);
}
