//! Positions: where the operations of a function come from in the source text.
//!
//! Debug information is made from this table. It is optional, and no part of a function's value:
//! two functions with the same operations are equal, wherever they were written.

use crate::{Local, OpIdx};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A place in the source text: line and column, both from 1. The column counts characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourcePosition {
    /// The line, from 1.
    pub line: u32,
    /// The character in the line, from 1.
    pub column: u32,
}

/// The positions of one function.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourcePositions {
    /// The source file: a path, or a name such as `<stdin>`.
    pub file: Arc<str>,
    /// The folder that a relative path begins in.
    pub directory: Arc<str>,
    /// Where the definition begins.
    pub definition: SourcePosition,
    /// The position of each operation, by its index.
    pub ops: Box<[SourcePosition]>,
    /// The scopes of variables that are no parameters, in the order in which they begin. They are
    /// nested properly.
    pub scopes: Box<[VariableScope]>,
}

/// The operations in which a variable is in scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableScope {
    /// The variable.
    pub variable: Local,
    /// The first operation in which the variable has a value.
    pub begin: OpIdx,
    /// The operation behind the last one.
    pub end: OpIdx,
    /// Where the variable is introduced.
    pub position: SourcePosition,
}

impl SourcePositions {
    /// The positions of a function that comes from no source text: debug information then has its
    /// name and variables, and no lines.
    pub fn unknown() -> Self {
        let (file, directory) = ("<unknown>".into(), "".into());
        let (ops, scopes) = (Box::default(), Box::default());
        Self { file, directory, definition: SourcePosition::default(), ops, scopes }
    }

    /// The position of an operation. Behind the last one, that of the last one.
    pub fn of_op(&self, op: OpIdx) -> SourcePosition {
        self.ops.get(op.index()).or(self.ops.last()).copied().unwrap_or(self.definition)
    }
}
