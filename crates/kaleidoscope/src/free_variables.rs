//! Free variables: the names that a formula needs from whoever evaluates it.

use crate::{Diagnostic, DiagnosticCode, Engine, FormulaError, Source, Span};
use kaleidoscope_jit::in_engine_mode;
use kaleidoscope_lang::formula::read_formula;

impl Engine {
    /// The variables that a formula reads or assigns and does not define itself, each once, in the
    /// order of the text: its parameters, for a host that learns them from the text. Host variables
    /// that are bound, and constants of the prelude, are not among them.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// let text = "var r = x * 2 in r * width + x";
    /// let names = engine.free_variables(text)?;
    /// assert_eq!(names, ["x", "width"]);
    /// let names: Vec<&str> = names.iter().map(String::as_str).collect();
    /// assert_eq!(engine.formula(text, &names)?.call(&[1.0, 10.0])?, 21.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The diagnostics of a text that no parameters make correct.
    pub fn free_variables(&self, text: &str) -> Result<Vec<String>, FormulaError> {
        let refuse = |diagnostics| FormulaError::new(diagnostics, Source::new("formula", text));
        self.admit_formula(text).map_err(refuse)?;
        // Each unknown variable is reported once.
        let read =
            in_engine_mode(|| read_formula(text, "$formula".into(), &[], &self.shared.program().names));
        let mut free = Vec::new();
        let mut errors = Vec::new();
        for diagnostic in read.diagnostics {
            match diagnostic.span {
                Some(span) if diagnostic.code == DiagnosticCode::UnknownVariable => {
                    free.push(span);
                }
                _ => errors.push(diagnostic),
            }
        }
        match errors.iter().any(Diagnostic::is_error) {
            true => Err(refuse(errors)),
            false => {
                free.sort_unstable_by_key(|span| span.start);
                let name = |span: Span| text[span.start as usize..span.end as usize].to_owned();
                Ok(free.into_iter().map(name).collect())
            }
        }
    }
}
