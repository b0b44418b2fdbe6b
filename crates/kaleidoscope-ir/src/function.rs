//! A function of the IR: named, typed by its number of parameters, with its operations in order.
//!
//! The form is linear and structured, like WebAssembly's: operations in the order in which they run,
//! each taking its operands from a stack of values and leaving its result there. `if` and `for` are
//! brackets around their parts. So every reader of the IR (the interpreter, each code generator) is
//! one loop without recursion, however deeply the source text was nested.

use crate::Op;
use std::sync::Arc;

/// A function of one name and one arity. Ids are handed out in order from 0 and never used again; when a name is
/// defined with another number of parameters it gets another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct FunctionId(u32);

/// A variable of one function: parameters first, in order, then each `var` and `for` variable in order of appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Local(u32);

/// A variable of the host, which programs share with it and with one another. Ids are handed out in order from 0; a name
/// that means another variable from some time on gets another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct HostVariable(u32);

/// A position in [`Function::ops`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct OpIdx(u32);

macro_rules! newtype_over_u32 {
    ($($name:ident)*) => {$(
        impl $name {
            /// The id with this number.
            pub const fn new(index: u32) -> Self {
                Self(index)
            }

            /// The number as an index into a table.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}
newtype_over_u32! { FunctionId Local HostVariable OpIdx }

/// A function in resolved form. The operations leave exactly one value, the result.
///
/// Promises, kept by the resolver and relied upon by every reader:
/// 1. brackets match: each `If` has its `Else` and `End`, each `Loop` its `Next`, properly nested, at the given places;
/// 2. at each operation the number of values on the stack is fixed and enough, and both branches of an `If` leave one more
///    than the condition found (or end in a `TailCall`, which leaves nothing and is followed only by `Else`, `End` or the end);
/// 3. every [`Local`] is below `locals.len()`, and a local that is no parameter is set before it is read.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Function {
    /// The name: of a function as written (`fib`), of an operator `unary!` or `binary|`, of a top-level expression
    /// `$expr` and a number.
    pub name: Arc<str>,
    /// How many of the locals are parameters.
    pub n_params: u32,
    /// The variables' names as written, parameters first. Two may share a name.
    pub locals: Box<[Arc<str>]>,
    /// What happens, in order.
    pub ops: Box<[Op]>,
    /// The most values that are on the stack at once.
    pub max_stack: u32,
}

impl Function {
    /// Bytes that the function holds, allocations included; the names, which are shared, are not counted.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.locals) + size_of_val(&*self.ops)
    }

    /// How many loops it has.
    pub fn n_loops(&self) -> usize {
        self.ops.iter().filter(|op| matches!(op, Op::Loop)).count()
    }

    /// Whether some of its operations may happen more than once in a call.
    pub fn has_loops(&self) -> bool {
        self.ops.iter().any(|op| matches!(op, Op::TailCall | Op::Next { .. }))
    }
}
