//! Which functions of the maths library become instructions, on processors of either sort, and how
//! they are called once they are replaced.

use cranelift_codegen::ir;
use kaleidoscope_ir::compile::Unit;
use kaleidoscope_ir::{Function, FunctionId, Op};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::lower;

const SLOT: usize = 1008;
const LIBRARY: usize = 2016;

const INVALIDATION: Invalidation = Invalidation { flag: 3001, exit: 0, code_number: 0 };

/// A call of the function, as Cranelift's IR. `is_first` says that no other call precedes it.
fn lowered(
    maths: MathsFunction,
    has_roundings: bool,
    invalidation: Option<Invalidation>,
    is_first: bool,
) -> String {
    let n_args = maths.arity();
    let mut ops = Vec::new();
    if !is_first {
        ops.extend([Op::Call { callee: FunctionId::new(1), n_args: 0 }, Op::Drop]);
    }
    ops.extend((0..n_args).map(|_| Op::Number(1.5)));
    ops.push(Op::Call { callee: FunctionId::new(0), n_args });
    let function = Function::new("f", 0, [], ops, n_args);
    let targets = BTreeMap::from([
        (FunctionId::new(0), CallTarget::Maths { function: maths, slot: SLOT }),
        (FunctionId::new(1), CallTarget::Slot { address: 8 }),
    ]);
    let unit = Unit::new(Arc::new(function), None, 1, targets, BTreeMap::new());
    let unit = Unit { invalidation, ..unit };
    let mut func = ir::Function::new();
    lower::lower(&mut func, &unit, None, None, &Maths::new(|_| LIBRARY, has_roundings));
    func.to_string()
}

/// The functions that are instructions.
fn instructions(has_roundings: bool) -> Vec<MathsFunction> {
    let is_called = |maths| lowered(maths, has_roundings, None, true).contains("call_indirect");
    MathsFunction::ALL.iter().copied().filter(|&maths| !is_called(maths)).collect()
}

#[test]
fn what_is_exact_by_definition_is_an_instruction_if_there_is_one() {
    let names =
        |has_roundings| -> Vec<_> { instructions(has_roundings).iter().map(|maths| maths.name()).collect() };
    assert_eq!(names(false), ["sqrt", "fabs"]);
    assert_eq!(names(true), ["sqrt", "floor", "ceil", "trunc", "fabs", "rint"]);
}

#[test]
fn what_can_be_replaced_is_called_through_its_slot() {
    for has_roundings in [false, true] {
        let instructions = instructions(has_roundings);
        for &maths in MathsFunction::ALL {
            let code = lowered(maths, has_roundings, Some(INVALIDATION), false);
            let is_instruction = instructions.contains(&maths);
            let has = |number: usize| code.contains(&format!("iconst.i64 {number}\n"));
            assert!(has(SLOT) && !has(LIBRARY), "{code}");
            assert_eq!(has(INVALIDATION.flag), is_instruction, "{code}");
            assert_eq!(code.contains("atomic_load.i8"), is_instruction, "{code}");
            // The call is in a block that is laid out behind all others.
            assert_eq!(code.contains("cold"), is_instruction, "{code}");
        }
    }
}

#[test]
fn code_that_has_called_nothing_is_still_valid() {
    let code = lowered(MathsFunction::Sqrt, true, Some(INVALIDATION), true);
    assert!(code.contains("sqrt") && !code.contains("atomic_load"), "{code}");
}
