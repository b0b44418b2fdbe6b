//! Elements of arrays of the host: `u(i)` reads one, `u(i) = v` assigns one.
//!
//! An array has the name of no function, so the name decides whether a call is an element.

use super::Resolver;
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::source::Span;
use crate::syntax::{NodeId, Symbol};
use kaleidoscope_ir::HostArray;

impl Resolver<'_> {
    /// The array that has this name.
    pub(super) fn array(&self, name: Symbol) -> Option<HostArray> {
        self.names.array(self.tree.symbols.name(name))
    }

    /// Pushes the step for the index of an element, which is written like the argument of a call.
    pub(super) fn push_index(&mut self, array: Symbol, arguments: &[NodeId], span: Span) {
        match *arguments {
            [index] => self.push_value(index),
            _ => {
                self.wrong_count(array, 1, arguments.len() as u32, span);
                self.push_value_or(None, 0.0);
            }
        }
    }

    /// Reports a prototype of a function that has the name of an array.
    pub(super) fn check_not_array(&mut self, name: Symbol, span: Span) {
        if self.array(name).is_none() {
            return;
        }
        let text = self.tree.symbols.name(name);
        let message = format!("`{text}` is an array of the host, so no function can have this name");
        self.report(Diagnostic::error(DiagnosticCode::NameOfArray, span, message));
    }
}
