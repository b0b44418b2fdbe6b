//! Items: what the reader returns, with the names that an item would bring into scope.
//!
//! An item is a proposal until [`crate::names::Names::commit`] accepts it.

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::operator::Sign;
use crate::signature::Signature;
use crate::source::Span;
use kaleidoscope_ir::{Function, FunctionId};

/// An operator that an item defines or declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// A prefix operator.
    Unary(Sign),
    /// A binary operator.
    Binary {
        /// The sign.
        sign: Sign,
        /// From 1 to 100.
        precedence: u8,
    },
}

/// One item of the program.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Item {
    /// `def …`
    Definition {
        /// The id of the function's name and arity.
        id: FunctionId,
        /// The function in the IR.
        function: Arc<Function>,
        /// The operator that it defines, if any.
        operator: Option<Operator>,
        /// Functions that get the next free ids when the item is committed: the function itself,
        /// if its name and arity are new, and functions that it calls before their definition.
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
        /// The expression as a function without parameters, named `$expr` and a number.
        function: Arc<Function>,
    },
    /// A prototype of a built-in binary operator, with its body. It was checked, and it changes
    /// nothing.
    WithoutEffect,
}

impl Item {
    /// The functions that get the next free ids when the item is committed.
    pub fn new_functions(&self) -> &[Signature] {
        match self {
            Self::Definition { new_functions, .. } | Self::Extern { new_functions, .. } => new_functions,
            Self::Expression { .. } | Self::WithoutEffect => &[],
        }
    }
}

/// The result of reading one item.
#[derive(Clone, Debug)]
pub struct Read {
    /// The item. `None` if it failed; then `diagnostics` has at least one error.
    pub item: Option<Item>,
    /// Errors and warnings, in text order.
    pub diagnostics: Vec<Diagnostic>,
    /// The item's place, without the `;` behind it.
    pub span: Span,
}
