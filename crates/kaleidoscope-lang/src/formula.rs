//! Formulas: one expression over named parameters, read as the definition of a function.

#[cfg(test)]
mod tests;

use crate::MAX_PARAMETERS;
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::item::{Item, Read};
use crate::lexer::{Lexer, is_name_with};
use crate::names::{Names, Signature};
use crate::parser::Parser;
use crate::resolve::{ParsedFormula, Workspace, resolve_formula};
use crate::source::Span;
use crate::syntax::Tree;
use kaleidoscope_ir::{Function, FunctionId};
use std::collections::HashSet;
use std::sync::Arc;

/// Reads formulas one after the other, in memory that it keeps. A clone has memory of its own.
#[derive(Debug, Default)]
pub struct FormulaReader {
    tree: Tree,
    workspace: Workspace,
}

impl Clone for FormulaReader {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Reads a formula as the definition of a function with this name. The name has a `$`, so no
/// program can refer to the function. Changes no names.
///
/// ```
/// use kaleidoscope_lang::{formula::read_formula, names::Names};
///
/// let read = read_formula("a * sin(x)", "$formula1".into(), &["a", "x"], &Names::new());
/// assert!(read.item.is_some());
/// let read = read_formula("a * sin(y)", "$formula1".into(), &["a", "x"], &Names::new());
/// assert_eq!(read.diagnostics[0].message, "there is no variable `y` here");
/// ```
pub fn read_formula(text: &str, name: Arc<str>, parameters: &[&str], names: &Names) -> Read {
    FormulaReader::default().read(text, name, parameters, names)
}

impl FormulaReader {
    /// Reads a formula as [`read_formula`] does.
    pub fn read(&mut self, text: &str, name: Arc<str>, parameters: &[&str], names: &Names) -> Read {
        let mut diagnostics = check_parameters(parameters, names.has_conventions());
        if text.len() >= u32::MAX as usize {
            diagnostics.push(Diagnostic::error(
                DiagnosticCode::TextTooLong,
                None,
                "the formula is too long: 4 GiB or more",
            ));
        }
        if !diagnostics.is_empty() {
            return Read { item: None, diagnostics, span: Span::new(0, 0) };
        }
        let Self { tree, workspace } = self;
        tree.clear();
        let parameters: Vec<_> = parameters.iter().map(|parameter| tree.symbols.intern(parameter)).collect();
        let mut parser = Parser::new(Lexer::new(text, 0), names, tree, None);
        let parsed = parser.expect_formula();
        let span = Span::new(0, parser.taken_to());
        let item = match parsed {
            Ok(body) => {
                let lacks_operator = parser.lacks_operator();
                diagnostics = parser.into_mistakes();
                let formula = ParsedFormula { name, parameters: &parameters, body, span };
                resolve_formula(formula, tree, names, workspace, &mut diagnostics).filter(|_| !lacks_operator)
            }
            Err(diagnostic) => {
                diagnostics.extend(parser.into_mistakes());
                diagnostics.push(*diagnostic);
                None
            }
        };
        Read { item, diagnostics, span }
    }
}

/// The definition of a function with this name that has the results of formulas over the same
/// parameters, in order. Nothing can call it. Changes no names.
///
/// ```
/// use kaleidoscope_lang::{formula::combine_formulas, item::Item, names::Names};
/// # use kaleidoscope_lang::formula::read_formula;
///
/// let mut names = Names::new();
/// let read = read_formula("a + 1", "$formula1".into(), &["a"], &names);
/// let Some(formula @ Item::Definition { id, .. }) = read.item else { panic!("a correct formula") };
/// names.commit(&formula);
/// let both = combine_formulas("$formula2".into(), &["a"], &[id, id], &names);
/// assert!(matches!(both, Item::Definition { function, .. } if function.n_results == 2));
/// ```
pub fn combine_formulas(name: Arc<str>, parameters: &[&str], formulas: &[FunctionId], names: &Names) -> Item {
    let parameters: Vec<Arc<str>> = parameters.iter().map(|&parameter| parameter.into()).collect();
    let function = Function::of_calls(Arc::clone(&name), parameters, formulas);
    let signature = Signature { name, arity: function.n_params };
    let (id, new_functions) = match names.find(&signature.name, signature.arity) {
        Some(id) => (id, Vec::new()),
        None => {
            let id = u32::try_from(names.n_functions()).expect("ids are 32 bits wide");
            (FunctionId::new(id), vec![signature])
        }
    };
    Item::Definition { id, function: Arc::new(function), operator: None, new_functions }
}

/// Errors about the parameters.
fn check_parameters(parameters: &[&str], has_conventions: bool) -> Vec<Diagnostic> {
    if parameters.len() > MAX_PARAMETERS {
        let message = format!("more than {MAX_PARAMETERS} parameters");
        return vec![Diagnostic::error(DiagnosticCode::TooManyParameters, None, message)];
    }
    let mut diagnostics = Vec::new();
    let mut seen = HashSet::new();
    // Few names are quickly compared.
    let mut is_new = |idx: usize, parameter| match idx {
        0..8 => !parameters[..idx].contains(parameter),
        _ => {
            seen.extend(&parameters[..if idx == 8 { 8 } else { 0 }]);
            seen.insert(parameter)
        }
    };
    for (idx, parameter) in parameters.iter().enumerate() {
        let (code, message) = if !is_name_with(parameter, has_conventions) {
            (
                DiagnosticCode::UnexpectedToken,
                format!("`{}` cannot be the name of a parameter", parameter.escape_debug()),
            )
        } else if !is_new(idx, parameter) {
            (DiagnosticCode::RepeatedParameter, format!("two parameters are named `{parameter}`"))
        } else {
            continue;
        };
        diagnostics.push(Diagnostic::error(code, None, message));
    }
    diagnostics
}
