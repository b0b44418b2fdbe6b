//! Calls, and names that mean nothing.

use super::{Itself, Resolver, Step};
use crate::conventions::ManyArguments;
use crate::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use crate::names::{Lookup, nearest};
use crate::parser::{function_hint, word_hint};
use crate::source::Span;
use crate::syntax::{NodeId, Symbol};
use kaleidoscope_ir::{Arithmetic, FunctionId, Op};

/// The most variables in scope, and the most host variables, to compare with an unknown name.
const MAX_COMPARED: usize = 256;

impl Resolver<'_> {
    /// The operation of a call by name.
    pub(super) fn resolve_call(&mut self, callee: Symbol, n_args: u32, span: Span, tail: bool) -> Op {
        if let Some(Itself { id, symbol, arity }) = self.itself
            && symbol == Some(callee)
        {
            if n_args != arity {
                self.wrong_count(callee, arity, n_args, span);
            } else if tail {
                return Op::TailCall;
            }
            return Op::Call { callee: id, n_args };
        }
        let callee = match self.names.look_up(self.tree.symbols.name(callee), n_args) {
            Lookup::Found(id) => id,
            Lookup::OtherArity(id) => {
                self.wrong_count(callee, self.names.signature(id).arity, n_args, span);
                id
            }
            Lookup::Unknown(id) => self.undefined(callee, n_args, span, id),
        };
        Op::Call { callee, n_args }
    }

    /// The function and its meaning if it has two parameters and takes any number of arguments.
    pub(super) fn many_arguments(
        &self,
        callee: Symbol,
        n_args: usize,
    ) -> Option<(FunctionId, ManyArguments)> {
        if n_args == 0 || n_args == 2 || self.is_itself(callee) {
            return None;
        }
        let function = self.names.current(self.tree.symbols.name(callee))?;
        Some((function, self.names.many_arguments(function)?))
    }

    /// Pushes the steps of a call with any number of arguments: calls with two. Each argument is
    /// evaluated once, from left to right.
    pub(super) fn resolve_many(
        &mut self,
        function: FunctionId,
        meaning: ManyArguments,
        arguments: &[NodeId],
        tail: bool,
    ) {
        let n_args = arguments.len();
        let op = match meaning {
            ManyArguments::Fold => Op::Call { callee: function, n_args: 2 },
            ManyArguments::Mean => Op::Arithmetic(Arithmetic::Add),
        };
        if meaning == ManyArguments::Mean && n_args > 1 {
            self.push(Step::Emit(Op::Arithmetic(Arithmetic::Divide)));
            self.push(Step::Emit(Op::Number(n_args as f64)));
        }
        for &node in arguments[1..].iter().rev() {
            self.push(Step::Emit(op));
            self.push_value(node);
        }
        self.push(Step::Value { node: arguments[0], tail: tail && n_args == 1 });
    }

    /// The operation of an operator that is a function, which may be the function being defined.
    pub(super) fn operator_call(&self, callee: FunctionId, n_args: u32, tail: bool) -> Op {
        match self.itself {
            Some(itself) if itself.id == callee && tail => Op::TailCall,
            _ => Op::Call { callee, n_args },
        }
    }

    /// Reports a variable that is not in scope, once, and returns an operation in its place.
    #[cold]
    pub(super) fn unknown_variable(&mut self, name: Symbol, span: Span) -> Op {
        let is_new = self.unknown_variables.insert(name);
        if !is_new || !self.has_room(Severity::Error) {
            self.failed = true;
            return Op::Number(0.0);
        }
        let text = self.tree.symbols.name(name);
        let mut diagnostic = Diagnostic::error(
            DiagnosticCode::UnknownVariable,
            span,
            format!("there is no variable `{text}` here"),
        );
        let symbols = &self.tree.symbols;
        let in_scope = self.workspace.scope.names().take(MAX_COMPARED).map(|name| &**symbols.name(name));
        let near = nearest(text, in_scope.chain(self.names.variables().take(MAX_COMPARED)));
        if let Some(hint) = self.names.chapter_hint(text) {
            diagnostic = diagnostic.with_hint(hint);
        } else if let Some(hint) = word_hint(text) {
            diagnostic = diagnostic.with_hint(hint);
        } else if let Some(near) = near {
            diagnostic = diagnostic.with_hint(format!("there is one named `{near}`"));
        } else if self.names.array(text).is_some() {
            diagnostic = diagnostic.with_hint(format!("`{text}` is an array: `{text}(…)` is an element"));
        } else if self.names.current(text).is_some() || self.is_itself(name) {
            diagnostic = diagnostic.with_hint(format!("`{text}` is a function: call it with `{text}(…)`"));
        }
        self.report(diagnostic);
        Op::Number(0.0)
    }

    /// Reports that the left side of `=` is no variable here.
    #[cold]
    pub(super) fn unknown_target(&mut self, name: Symbol, span: Span) {
        let n_before = self.diagnostics.len();
        self.unknown_variable(name, span);
        let text = self.tree.symbols.name(name);
        if let Some(diagnostic) = self.diagnostics.get_mut(n_before) {
            let hint = || format!("to make a variable, write `var {text} = … in …`");
            diagnostic.hint.get_or_insert_with(hint);
        }
    }

    #[cold]
    pub(super) fn wrong_count(&mut self, callee: Symbol, arity: u32, n_args: u32, span: Span) {
        let text = self.tree.symbols.name(callee);
        let takes_many = self.many_of_name(callee);
        let takes = if takes_many { "at least 1 argument".to_owned() } else { arguments(arity) };
        let message = format!("`{text}` takes {takes}, not {n_args}");
        let mut diagnostic = Diagnostic::error(DiagnosticCode::WrongArgumentCount, span, message);
        if let Some(failure) = self.names.failure(text) {
            diagnostic = diagnostic.with_hint(format!("{failure}; this is an older one"));
        }
        self.report(diagnostic);
    }

    /// Reports a call of an undefined function: an error in an expression, which runs now, and a
    /// warning in a definition.
    #[cold]
    fn undefined(&mut self, callee: Symbol, n_args: u32, span: Span, id: Option<FunctionId>) -> FunctionId {
        if let Some(&id) = self.called_undefined.get(&(callee, n_args)) {
            return id;
        }
        let text = self.tree.symbols.name(callee);
        let id = id.unwrap_or_else(|| self.id_of(text, n_args));
        self.called_undefined.insert((callee, n_args), id);
        let severity = if self.itself.is_some() { Severity::Warning } else { Severity::Error };
        if !self.has_room(severity) {
            self.failed |= severity == Severity::Error;
            return id;
        }
        let span = Span::new(span.start, span.start + text.len() as u32);
        let failure = self.names.failure(text);
        let because = failure.map_or(String::new(), |failure| format!(": {failure}"));
        let mut diagnostic = if severity == Severity::Warning {
            let yet = if failure.is_none() { " yet" } else { "" };
            let message = format!("the function `{text}` is not defined{yet}{because}");
            Diagnostic::warning(DiagnosticCode::NotYetDefined, span, message)
        } else {
            let message = format!("there is no function `{text}`{because}");
            Diagnostic::error(DiagnosticCode::UnknownFunction, span, message)
        };
        if failure.is_some() {
            // The mistake is there, and not in the name.
        } else if let Some(hint) = self.names.chapter_hint(text) {
            diagnostic = diagnostic.with_hint(hint);
        } else if let Some(hint) = function_hint(text).filter(|_| !self.names.has_conventions()) {
            diagnostic = diagnostic.with_hint(hint);
        } else if let Some(near) = self.names.nearest_function(text) {
            diagnostic = diagnostic.with_hint(format!("there is one named `{near}`"));
        }
        self.report(diagnostic);
        id
    }

    fn many_of_name(&self, callee: Symbol) -> bool {
        let current = self.names.current(self.tree.symbols.name(callee));
        !self.is_itself(callee) && current.is_some_and(|id| self.names.many_arguments(id).is_some())
    }

    fn is_itself(&self, name: Symbol) -> bool {
        self.itself.is_some_and(|itself| itself.symbol == Some(name))
    }
}

/// `no arguments`, `1 argument`, `2 arguments`
fn arguments(n: u32) -> String {
    match n {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        n => format!("{n} arguments"),
    }
}
