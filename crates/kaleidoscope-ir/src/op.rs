//! Operations of the IR, each with its effect on the stack of values.

use crate::{FunctionId, HostArray, HostVariable, Local, OpIdx};

/// One operation. `a b → c` means: takes `a`, and `b` above it, from the stack, and leaves `c`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Op {
    /// `→ number`
    Number(f64),
    /// `→ value`: reads a variable.
    Get(Local),
    /// `value → value`: assigns a variable.
    Set(Local),
    /// `→ value`: reads a host variable. Each read sees the last value that the host or another
    /// thread assigned.
    GetHost(HostVariable),
    /// `value → value`: assigns a host variable. All threads see the new value.
    SetHost(HostVariable),
    /// `index → value`: reads an element of an array of the host. The index is truncated toward
    /// zero. One that means no element is a trap.
    GetElement(HostArray),
    /// `index value → value`: assigns an element of an array of the host. The index is as for
    /// [`Op::GetElement`].
    SetElement(HostArray),
    /// `value →`
    Drop,
    /// `a b → a + b`, and likewise for the other operators.
    Arithmetic(Arithmetic),
    /// `x → x * x`: the language's `^` with the literal 2 on its right.
    Square,
    /// `arguments, the first one lowest → result`
    Call {
        /// The function that is called.
        callee: FunctionId,
        /// The number of arguments, which is the callee's number of parameters.
        n_args: u32,
    },
    /// `arguments, the first one lowest →`: calls the function itself in tail position. The
    /// arguments become the parameters and the function starts again, without using more of the
    /// thread's stack. Operations behind it, up to the next `Else`, `End` or the end, never run.
    TailCall,
    /// `condition →`: continues with the next operation if the condition [holds], otherwise
    /// behind the `Else`.
    If {
        /// The position of the `Else`.
        otherwise: OpIdx,
    },
    /// Ends the first branch, which left its value, and continues at the `End`.
    Else {
        /// The position of the `End`.
        end: OpIdx,
    },
    /// Ends an `If`. The value of the branch taken is on the stack.
    End,
    /// Begins a loop: the target of the back edge of its [`Op::Next`].
    Loop,
    /// `step condition →`: ends a loop. Adds the step to the variable, which is read now. Then
    /// continues behind the `Loop` if the condition [holds], otherwise behind the `Next`.
    Next {
        /// The loop's variable.
        variable: Local,
        /// The position of the `Loop`.
        header: OpIdx,
    },
}

/// What an operation does to the nesting of brackets: an `If` with its `Else` and `End`, or a
/// `Loop` with its `Next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bracket {
    /// Begins a bracket: `If` or `Loop`.
    Begin,
    /// Ends the first part of a bracket and begins the second: `Else`.
    Middle,
    /// Ends a bracket: `End` or `Next`.
    End,
}

impl Op {
    /// What the operation does to the nesting of brackets; `None` for most operations.
    pub const fn bracket(self) -> Option<Bracket> {
        match self {
            Self::If { .. } | Self::Loop => Some(Bracket::Begin),
            Self::Else { .. } => Some(Bracket::Middle),
            Self::End | Self::Next { .. } => Some(Bracket::End),
            Self::Number(_)
            | Self::Get(_)
            | Self::Set(_)
            | Self::GetHost(_)
            | Self::SetHost(_)
            | Self::GetElement(_)
            | Self::SetElement(_)
            | Self::Drop
            | Self::Arithmetic(_)
            | Self::Square
            | Self::Call { .. }
            | Self::TailCall => None,
        }
    }

    /// The position that the operation names: of its `Else`, its `End` or its `Loop`.
    pub const fn target(self) -> Option<OpIdx> {
        match self {
            Self::If { otherwise: target }
            | Self::Else { end: target }
            | Self::Next { header: target, .. } => Some(target),
            Self::Number(_)
            | Self::Get(_)
            | Self::Set(_)
            | Self::GetHost(_)
            | Self::SetHost(_)
            | Self::GetElement(_)
            | Self::SetElement(_)
            | Self::Drop
            | Self::Arithmetic(_)
            | Self::Square
            | Self::Call { .. }
            | Self::TailCall
            | Self::End
            | Self::Loop => None,
        }
    }

    /// The variable that the operation reads or assigns.
    pub const fn local(self) -> Option<Local> {
        match self {
            Self::Get(variable) | Self::Set(variable) | Self::Next { variable, .. } => Some(variable),
            Self::Number(_)
            | Self::GetHost(_)
            | Self::SetHost(_)
            | Self::GetElement(_)
            | Self::SetElement(_)
            | Self::Drop
            | Self::Arithmetic(_)
            | Self::Square
            | Self::Call { .. }
            | Self::TailCall
            | Self::If { .. }
            | Self::Else { .. }
            | Self::End
            | Self::Loop => None,
        }
    }

    /// The variable that the operation assigns. A tail call, which assigns all parameters, is not
    /// counted.
    pub const fn assigned_local(self) -> Option<Local> {
        match self {
            Self::Set(variable) | Self::Next { variable, .. } => Some(variable),
            Self::Number(_)
            | Self::Get(_)
            | Self::GetHost(_)
            | Self::SetHost(_)
            | Self::GetElement(_)
            | Self::SetElement(_)
            | Self::Drop
            | Self::Arithmetic(_)
            | Self::Square
            | Self::Call { .. }
            | Self::TailCall
            | Self::If { .. }
            | Self::Else { .. }
            | Self::End
            | Self::Loop => None,
        }
    }

    /// The function that the operation calls. A tail call has none: the caller knows its own id.
    pub const fn callee(self) -> Option<FunctionId> {
        match self {
            Self::Call { callee, .. } => Some(callee),
            Self::Number(_)
            | Self::Get(_)
            | Self::Set(_)
            | Self::GetHost(_)
            | Self::SetHost(_)
            | Self::GetElement(_)
            | Self::SetElement(_)
            | Self::Drop
            | Self::Arithmetic(_)
            | Self::Square
            | Self::TailCall
            | Self::If { .. }
            | Self::Else { .. }
            | Self::End
            | Self::Loop
            | Self::Next { .. } => None,
        }
    }

    /// Whether control flow may continue at an earlier operation of the function.
    pub const fn is_back_edge(self) -> bool {
        match self {
            Self::TailCall | Self::Next { .. } => true,
            Self::Number(_)
            | Self::Get(_)
            | Self::Set(_)
            | Self::GetHost(_)
            | Self::SetHost(_)
            | Self::GetElement(_)
            | Self::SetElement(_)
            | Self::Drop
            | Self::Arithmetic(_)
            | Self::Square
            | Self::Call { .. }
            | Self::If { .. }
            | Self::Else { .. }
            | Self::End
            | Self::Loop => false,
        }
    }

    /// How many values the operation takes from the stack, and how many it leaves there, in a
    /// function with this number of parameters.
    pub const fn stack_effect(self, n_params: u32) -> (u32, u32) {
        match self {
            Self::Number(_) | Self::Get(_) | Self::GetHost(_) => (0, 1),
            Self::Set(_) | Self::SetHost(_) | Self::GetElement(_) | Self::Square => (1, 1),
            Self::Drop | Self::If { .. } => (1, 0),
            Self::SetElement(_) | Self::Arithmetic(_) => (2, 1),
            Self::Call { n_args, .. } => (n_args, 1),
            Self::TailCall => (n_params, 0),
            Self::Else { .. } | Self::End | Self::Loop => (0, 0),
            Self::Next { .. } => (2, 0),
        }
    }
}

/// The built-in binary operators that compute a value. (`=` is [`Op::Set`].)
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
    /// `<`: 1 if less or unordered, otherwise 0.
    Less,
}

impl Arithmetic {
    /// The result of the operator. `pow` is C's function: each tier must call the same one.
    pub fn apply(self, left: f64, right: f64, pow: impl FnOnce(f64, f64) -> f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Power => pow(left, right),
            Self::Less => f64::from(u8::from(left < right || left.is_nan() || right.is_nan())),
        }
    }
}

/// Whether a condition holds: it is not zero and not NaN.
pub fn holds(condition: f64) -> bool {
    condition != 0.0 && !condition.is_nan()
}
