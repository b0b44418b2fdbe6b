//! What reading gives: one item of the program, resolved, and what it would bring into scope.
//!
//! An item is only a proposal until [`crate::names::Names::commit`].

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::names::Signature;
use crate::operator::Sign;
use crate::source::Span;
use kaleidoscope_ir::{Function, FunctionId};

/// An operator that an item brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// A prefix operator.
    Unary(Sign),
    /// A binary operator.
    Binary {
        /// The sign.
        sign: Sign,
        /// 1 to 100.
        precedence: u8,
    },
}

/// One item of the program.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Item {
    /// `def …`
    Definition {
        /// The function's id: the one of its name and arity.
        id: FunctionId,
        /// What it means.
        function: Arc<Function>,
        /// The operator that it defines, if any.
        operator: Option<Operator>,
        /// Functions that get the next free ids when the item is committed: itself, if its name and arity are new,
        /// and those it calls though nobody has defined them.
        new_functions: Vec<Signature>,
    },
    /// `extern …`
    Extern {
        /// The function's id.
        id: FunctionId,
        /// The operator that it declares, if any.
        operator: Option<Operator>,
        /// The function itself, if its name and arity are new.
        new_functions: Vec<Signature>,
    },
    /// An expression at top level.
    Expression {
        /// What to run, without parameters; named `$expr` and a number.
        function: Arc<Function>,
    },
}

impl Item {
    /// The functions that get the next free ids when the item is committed.
    pub fn new_functions(&self) -> &[Signature] {
        match self {
            Self::Definition { new_functions, .. } | Self::Extern { new_functions, .. } => new_functions,
            Self::Expression { .. } => &[],
        }
    }
}

/// What one reading found.
#[derive(Clone, Debug)]
pub struct Read {
    /// The item. None: it failed, and there is at least one error.
    pub item: Option<Item>,
    /// Errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Where the item stands, without the `;` behind it.
    pub span: Span,
}
