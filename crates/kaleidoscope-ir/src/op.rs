//! The operations of the IR, each with its effect on the stack of values.

use crate::{FunctionId, HostVariable, Local, OpIdx};

/// One operation. `a b → c` says: takes `a`, then `b` above it, from the stack of values and leaves `c`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
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
