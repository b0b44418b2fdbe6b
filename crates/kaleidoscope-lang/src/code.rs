//! The resolved program: what a function means, with ids for names and a place of its own for each variable.
//!
//! The form is linear and structured, like WebAssembly's: operations in the order they happen, each taking its operands
//! from a stack of values and leaving its result there; `if` and `for` are brackets around their parts. So whoever
//! reads it (the evaluator, every code generator) is one loop without recursion, however deep the text was nested.
//!
//! Nothing here knows text, and nothing here knows machine code.

use std::sync::Arc;

/// A function of one name and one arity. Ids are handed out in order from 0 and never used again; when a name is
/// defined with another number of parameters it gets another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FunctionId(u32);

/// A variable of one function: parameters first, in order, then each `var` and `for` variable in order of appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Local(u32);

/// A variable of the host, which programs share with it and with one another. Ids are handed out in order from 0; a name
/// that means another variable from some time on gets another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HostVariable(u32);

/// A position in [`Function::ops`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

/// One operation. `a b → c` says: takes `a`, then `b` above it, from the stack of values and leaves `c`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Op {
    /// `→ number`
    Number(f64),
    /// `→ value of the variable`
    Get(Local),
    /// `value → value`: the variable holds it from now on.
    Set(Local),
    /// `→ value of the variable`: the one that the host or another thread may have given it just now.
    GetHost(HostVariable),
    /// `value → value`: the variable holds it from now on, for all who look.
    SetHost(HostVariable),
    /// `value →`
    Drop,
    /// `a b → a + b` and so on.
    Arithmetic(Arithmetic),
    /// `x → x * x`: what `^` means with the literal 2 on its right.
    Square,
    /// `arguments, first one lowest → result`
    Call {
        /// The function.
        callee: FunctionId,
        /// The number of arguments: the callee's arity.
        n_args: u32,
    },
    /// `arguments, first one lowest →` (nothing: what follows, up to the next `Else`, `End` or the end, is not reached).
    /// A call of the function to itself in tail position: the arguments become the parameters and the function starts
    /// again, using no stack.
    TailCall,
    /// `condition →`. Goes on with the next operation when the condition is ordered and not zero, otherwise behind the
    /// `Else` at `otherwise`.
    If {
        /// Where the matching `Else` is.
        otherwise: OpIdx,
    },
    /// Ends the first branch, which left its value: goes to the `End` at `end`.
    Else {
        /// Where the matching `End` is.
        end: OpIdx,
    },
    /// Ends an `If`: the value of the branch taken lies on the stack.
    End,
    /// Begins the body of a `for`; [`Op::Next`] comes back here. Takes and leaves nothing.
    Loop,
    /// `step condition →`. Ends the body of a `for`: `variable = variable + step` (the variable read now), then back
    /// behind the `Loop` at `header` when the condition is ordered and not zero, otherwise on.
    Next {
        /// The loop's variable.
        variable: Local,
        /// Where the matching `Loop` is.
        header: OpIdx,
    },
}

/// The built-in binary operators that are operations of their own (`=` is [`Op::Set`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `^`: the C library's `pow`.
    Power,
    /// `<`: 1 when less or unordered, otherwise 0.
    Less,
}

/// A function in resolved form. The operations leave exactly one value, the result.
///
/// Promises, kept by the resolver and relied upon by every reader:
/// 1. brackets match: each `If` has its `Else` and `End`, each `Loop` its `Next`, properly nested, at the given places;
/// 2. at each operation the number of values on the stack is fixed and enough, and both branches of an `If` leave one more
///    than the condition found (or end in a `TailCall`, which leaves nothing and is followed only by `Else`, `End` or the end);
/// 3. every [`Local`] is below `locals.len()`, and a local that is no parameter is set before it is read.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
