//! Prototypes: checks precedence and parameters, and warns about built-in operators.

use std::sync::Arc;

use super::Resolver;
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::item::Operator;
use crate::names::Lookup;
use crate::operator::{DEFAULT_PRECEDENCE, MAX_PRECEDENCE, Sign, binary_name, unary_name};
use crate::source::Span;
use crate::syntax::{Prototype, Subject, Symbol};

impl Resolver<'_> {
    /// The function's name and operator; `None` if the prototype is wrong.
    pub(super) fn resolve_prototype(
        &mut self,
        prototype: &Prototype,
    ) -> Option<(Arc<str>, Option<Operator>)> {
        self.bind_parameters(&prototype.parameters);
        let resolved = match prototype.subject {
            Subject::Function(name) => {
                self.check_not_array(name, prototype.subject_span);
                (Arc::clone(self.tree.symbols.name(name)), None)
            }
            Subject::Unary(sign) => (unary_name(sign).into(), Some(Operator::Unary(sign))),
            Subject::Binary { sign, precedence } => {
                self.warn_of_built_in(sign, prototype.subject_span);
                let precedence = match precedence {
                    Some((written, span)) => self.check_precedence(written, span),
                    None => DEFAULT_PRECEDENCE,
                };
                (binary_name(sign).into(), Some(Operator::Binary { sign, precedence }))
            }
        };
        (!self.failed).then_some(resolved)
    }

    /// Checks that an `extern` does not contradict what is known.
    pub(super) fn check_extern(&mut self, name: &str, arity: u32, span: Span) -> Option<()> {
        let Lookup::OtherArity(known) = self.names.look_up(name, arity) else {
            return Some(());
        };
        let known = self.names.signature(known).arity;
        let message = format!("`{name}` is known with {known} parameters, not {arity}");
        self.report(Diagnostic::error(DiagnosticCode::ExternMismatch, span, message));
        None
    }

    /// Brings the parameters into scope.
    fn bind_parameters(&mut self, parameters: &[(Symbol, Span)]) {
        for &(name, span) in parameters {
            let earlier = self.workspace.scope.find(name);
            self.workspace.scope.bind(name);
            if let Some(earlier) = earlier {
                let text = self.tree.symbols.name(name);
                let message = format!("two parameters are named `{text}`");
                let diagnostic = Diagnostic::error(DiagnosticCode::RepeatedParameter, span, message);
                self.report(diagnostic.with_label(parameters[earlier.index()].1, "the other one"));
            }
        }
    }

    /// Whether the prototype has no effect: a built-in binary operator keeps its meaning.
    pub(super) fn is_without_effect(&self, prototype: &Prototype) -> bool {
        matches!(prototype.subject, Subject::Binary { sign, .. } if sign.is_built_in())
    }

    fn warn_of_built_in(&mut self, sign: Sign, span: Span) {
        if !sign.is_built_in() {
            return;
        }
        let message = format!("the binary operator `{sign}` is built in: this has no effect");
        let hint = if sign == Sign::ASSIGN {
            "`=` assigns; to compare, define a function, or use `==` of the prelude (`--prelude`)"
        } else {
            "give the operator another sign, or define a function"
        };
        self.report(Diagnostic::warning(DiagnosticCode::BuiltInOperator, span, message).with_hint(hint));
    }

    fn check_precedence(&mut self, written: f64, span: Span) -> u8 {
        let is_whole = written.fract() == 0.0;
        if is_whole && (1.0..=f64::from(MAX_PRECEDENCE)).contains(&written) {
            return written as u8;
        }
        let message = format!("the precedence must be a whole number from 1 to {MAX_PRECEDENCE}");
        self.report(Diagnostic::error(DiagnosticCode::BadPrecedence, span, message));
        DEFAULT_PRECEDENCE
    }
}
