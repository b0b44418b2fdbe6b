//! Which functions of the maths library become instructions, on processors of either sort.

use cranelift_codegen::ir;
use kaleidoscope_ir::compile::Unit;
use kaleidoscope_ir::{Function, FunctionId, Op};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::lower;

/// Whether a call of the function is one in the code as well.
fn is_called(maths: MathsFunction, has_roundings: bool) -> bool {
    let n_args = maths.arity();
    let mut ops: Vec<Op> = (0..n_args).map(|_| Op::Number(1.5)).collect();
    ops.push(Op::Call { callee: FunctionId::new(0), n_args });
    let function = Function::new("f", 0, [], ops, n_args);
    let targets = BTreeMap::from([(FunctionId::new(0), CallTarget::Maths { function: maths, slot: 8 })]);
    let unit = Unit::new(Arc::new(function), None, 1, targets, BTreeMap::new());
    let mut func = ir::Function::new();
    lower::lower(&mut func, &unit, None, &Maths::new(|_| 16, has_roundings));
    func.to_string().contains("call_indirect")
}

#[test]
fn what_is_exact_by_definition_is_an_instruction_if_there_is_one() {
    let names = |has_roundings| -> Vec<_> {
        let exact = MathsFunction::ALL.iter().filter(|&&maths| !is_called(maths, has_roundings));
        exact.map(|maths| maths.name()).collect()
    };
    assert_eq!(names(false), ["sqrt", "fabs"]);
    assert_eq!(names(true), ["sqrt", "floor", "ceil", "trunc", "fabs", "rint"]);
}
