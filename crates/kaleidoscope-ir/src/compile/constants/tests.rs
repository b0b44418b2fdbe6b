//! Which calls are made once, and which are left alone.

use super::KnownMaths;
use crate::compile::{CallTarget, Unit};
use crate::{Function, FunctionId, MathsFunction};
use std::collections::BTreeMap;
use std::sync::Arc;

const SIN: FunctionId = FunctionId::new(0);
const ATAN2: FunctionId = FunctionId::new(1);
const UNKNOWN: FunctionId = FunctionId::new(2);

/// The calls that are made for a function of these operations, in the order of their functions.
fn calls(header: &str, ops: &str) -> Vec<(MathsFunction, Vec<f64>)> {
    let text = format!("function f{header}\n{}", ops.replace("; ", "\n"));
    let function: Function = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    let targets = BTreeMap::from([
        (SIN, CallTarget::Maths { function: MathsFunction::Sin, slot: 8 }),
        (ATAN2, CallTarget::Maths { function: MathsFunction::Atan2, slot: 16 }),
        (UNKNOWN, CallTarget::Slot { address: 24 }),
    ]);
    let unit = Unit::new(Arc::new(function), None, 1, targets, BTreeMap::new());
    let made = std::cell::RefCell::new(Vec::new());
    let known = KnownMaths::of(&unit, |function, args| {
        made.borrow_mut().push((function, args.to_vec()));
        7.0
    });
    let made = made.into_inner();
    assert_eq!(known.len(), made.len(), "each call is made once: {text}");
    for (function, args) in &made {
        assert_eq!(known.result(*function, args), Some(7.0));
    }
    made
}

#[test]
fn calls_with_constant_arguments_are_made_once() {
    use MathsFunction::{Atan2, Pow, Sin};
    assert_eq!(calls("()", "number 0.5; call #0/1"), [(Sin, vec![0.5])]);
    assert_eq!(calls("()", "number 1; number 4; divide; call #0/1"), [(Sin, vec![0.25])]);
    assert_eq!(calls("()", "number 3; square; call #0/1"), [(Sin, vec![9.0])]);
    assert_eq!(calls("()", "number 1; number 2; call #1/2"), [(Atan2, vec![1.0, 2.0])]);
    assert_eq!(calls("()", "number 2; number 0.5; power"), [(Pow, vec![2.0, 0.5])]);
    // The result of a call is a constant, too.
    let nested = calls("()", "number 1; call #0/1; call #0/1");
    assert_eq!(nested, [(Sin, vec![1.0]), (Sin, vec![7.0])]);
    let twice = "number 1; call #0/1; number 1; call #0/1; add";
    assert_eq!(calls("()", twice), [(Sin, vec![1.0])]);
    let in_branch = "get x.0; if; number 1; call #0/1; else; number 2; end";
    assert_eq!(calls("(x.0)", in_branch), [(Sin, vec![1.0])]);
}

#[test]
fn other_calls_are_left_alone() {
    assert_eq!(calls("(x.0)", "get x.0; call #0/1"), []);
    assert_eq!(calls("(x.0)", "get x.0; number 2; multiply; call #0/1"), []);
    assert_eq!(calls("()", "number 1; call #2/1"), []);
    assert_eq!(calls("(x.0)", "get x.0; number 1; call #1/2"), []);
    assert_eq!(calls("(x.0)", "get x.0; number 0.5; power"), []);
    let joined = "get x.0; if; number 1; else; number 2; end; number 0; add; call #0/1";
    assert_eq!(calls("(x.0)", joined), []);
    let in_loop = "number 0; set i.0; drop; loop; get i.0; number 0; add; call #0/1; drop; \
                   number 1; number 0; next i.0; number 0";
    assert_eq!(calls("(), locals i.0", in_loop), []);
}
