//! What the tests share: programs in the text form of the IR.

use kaleidoscope_jit::ir::{Function, FunctionId};
use kaleidoscope_jit::{CallLimits, Jit, Mode, Trap};
use std::sync::Arc;

/// A function in the text form.
pub(crate) fn ir(text: &str) -> Arc<Function> {
    Arc::new(text.parse().unwrap())
}

/// `name() = value`
pub(crate) fn constant(name: &str, value: f64) -> Arc<Function> {
    ir(&format!("function {name}()\nnumber {value}"))
}

/// `name() = callee()`
pub(crate) fn caller(name: &str, callee: FunctionId) -> Arc<Function> {
    ir(&format!("function {name}()\ncall #{}/0", callee.index()))
}

/// A function that never returns.
pub(crate) fn endless() -> Arc<Function> {
    ir(
        "function endless(), locals i.0\nnumber 0\nset i.0\ndrop\nloop\nnumber 1\nnumber 1\nnext i.0\nnumber 0",
    )
}

/// Declares and defines a function.
pub(crate) fn add(jit: &Jit, function: Arc<Function>) -> FunctionId {
    let id = jit.declare(function.n_params).unwrap();
    jit.define(id, function).unwrap();
    id
}

/// Calls a function without limits.
pub(crate) fn call(jit: &Jit, function: FunctionId, args: &[f64]) -> Result<f64, Trap> {
    jit.call(jit.callable(function), args, CallLimits::new())
}

/// Runs the test with an engine of each mode.
pub(crate) fn in_each_mode(test: impl Fn(&Jit)) {
    for &mode in Mode::ALL {
        test(&Jit::builder().mode(mode).build().unwrap());
    }
}
