//! Positions of the operations that the resolver makes, and scopes of variables, for debug
//! information. Kept only if the reader was asked to.
//!
//! The resolver works from a stack of steps, so a step knows the place of its expression only if
//! the place was pushed with it ([`Step::At`](super::Step)).

#[cfg(test)]
mod tests;

use super::{Resolver, Step};
use crate::source::{Source, Span};
use kaleidoscope_ir::{Local, OpIdx, SourcePosition, SourcePositions, VariableScope};
use std::sync::Arc;

/// The positions of the item that is being resolved, as offsets in the text.
#[derive(Debug)]
pub(crate) struct PositionRecorder {
    file: Arc<str>,
    directory: Arc<str>,
    /// The offset of the expression whose operations are being emitted.
    at: u32,
    ops: Vec<u32>,
    scopes: Vec<RecordedScope>,
    /// The scopes that have not ended, outermost first.
    open: Vec<usize>,
}

#[derive(Debug)]
struct RecordedScope {
    variable: Local,
    begin: u32,
    end: u32,
    offset: u32,
}

impl PositionRecorder {
    /// A recorder for a text that is in this file.
    pub(crate) fn new(directory: Arc<str>, file: Arc<str>) -> Self {
        Self { file, directory, at: 0, ops: Vec::new(), scopes: Vec::new(), open: Vec::new() }
    }

    /// Begins an item at this offset.
    pub(super) fn clear(&mut self, offset: u32) {
        self.at = offset;
        self.ops.clear();
        self.scopes.clear();
        self.open.clear();
    }

    #[cold]
    fn begin_scope(&mut self, variable: Local) {
        self.open.push(self.scopes.len());
        let begin = self.ops.len() as u32;
        self.scopes.push(RecordedScope { variable, begin, end: begin, offset: self.at });
    }

    #[cold]
    fn end_scopes(&mut self, n_variables: u32) {
        for scope in self.open.drain(self.open.len().saturating_sub(n_variables as usize)..) {
            self.scopes[scope].end = self.ops.len() as u32;
        }
    }

    /// The positions of the item, in lines and columns.
    pub(super) fn positions(&self, item: Span, source: &Source) -> SourcePositions {
        let mut last = (u32::MAX, SourcePosition::default());
        // Neighbors often have the same place.
        let mut position = |offset: u32| {
            if last.0 != offset {
                let found = source.position(offset);
                last = (offset, SourcePosition { line: found.line, column: found.column });
            }
            last.1
        };
        let scopes = self.scopes.iter().map(|scope| VariableScope {
            variable: scope.variable,
            begin: OpIdx::new(scope.begin),
            end: OpIdx::new(scope.end),
            position: position(scope.offset),
        });
        let scopes = scopes.collect();
        SourcePositions {
            file: Arc::clone(&self.file),
            directory: Arc::clone(&self.directory),
            definition: position(item.start),
            ops: self.ops.iter().map(|&offset| position(offset)).collect(),
            scopes,
        }
    }
}

/// What the resolver does only if positions are wanted is cold, so that it costs others nothing.
impl Resolver<'_> {
    /// Pushes the place of the step that was pushed last.
    #[cold]
    pub(super) fn push_position(&mut self, step: Step) {
        // What ends a branch or a scope belongs to what is before it.
        let is_end = matches!(step, Step::Otherwise { .. } | Step::EndIf { .. } | Step::Unbind(_));
        if let Some(recorder) = self.workspace.positions.as_ref().filter(|_| !is_end) {
            self.workspace.steps.push(Step::At(recorder.at));
        }
    }

    /// What is pushed and emitted next belongs to the expression at this offset.
    #[cold]
    pub(super) fn set_position(&mut self, offset: u32) {
        if let Some(recorder) = &mut self.workspace.positions {
            recorder.at = offset;
        }
    }

    /// Notes an operation.
    #[cold]
    pub(super) fn note_op(&mut self) {
        if let Some(recorder) = &mut self.workspace.positions {
            recorder.ops.push(recorder.at);
        }
    }

    /// Begins the scope of a variable that the last operation has set.
    pub(super) fn begin_scope(&mut self, variable: Local) {
        if let Some(recorder) = &mut self.workspace.positions {
            recorder.begin_scope(variable);
        }
    }

    /// Takes the youngest variables out of scope.
    pub(super) fn unbind(&mut self, n_variables: u32) {
        self.workspace.scope.unbind(n_variables);
        if let Some(recorder) = &mut self.workspace.positions {
            recorder.end_scopes(n_variables);
        }
    }
}
