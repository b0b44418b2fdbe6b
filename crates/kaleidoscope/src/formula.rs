//! Formulas: expressions over named parameters that a user types, as functions.
//!
//! A formula is a function that no program can name. When its last handle is dropped, the engine
//! removes its definition and frees its code. The next formula of the same arity reuses its id and
//! stub, so memory stays constant however many formulas come and go.

use crate::failure::Failure;
use crate::formula_definition::FormulaDefinition;
use crate::handle::Handle;
use crate::{
    Arguments, CallError, Color, Diagnostic, DiagnosticCode, DynFunction, Engine, Error, Event, Function,
    Source, Span, render,
};
use kaleidoscope_jit::in_engine_mode;
use kaleidoscope_lang::item::{Item, Read};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An expression over named parameters. From [`Engine::formula`].
///
/// Clones are the same formula. The engine frees its code when the last clone is dropped, and the
/// last function made from it.
///
/// ```
/// use kaleidoscope::Engine;
///
/// let engine = Engine::new()?;
/// let formula = engine.formula("price * (1 + tax)", &["price", "tax"])?;
/// assert_eq!(formula.parameters().collect::<Vec<_>>(), ["price", "tax"]);
/// assert_eq!(formula.call(&[100.0, 0.25])?, 125.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Formula {
    function: DynFunction,
    text: Arc<str>,
    parameters: Arc<[Box<str>]>,
    warnings: Arc<[Diagnostic]>,
}

impl Engine {
    /// Defines a formula: an expression over these parameters. It may call everything that a
    /// program may call, and a redefinition of a function changes what the formula calls. The first
    /// call compiles it.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// let wave = engine.formula("a * sin(x) + b", &["a", "b", "x"])?;
    /// assert_eq!(wave.call(&[2.0, 1.0, 0.0])?, 1.0);
    ///
    /// let wrong = engine.formula("a * sin(y)", &["a", "x"]).unwrap_err();
    /// assert_eq!(wrong.diagnostics()[0].message, "there is no variable `y` here");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The diagnostics of the text or of the parameters, or of a limit on functions or item length.
    pub fn formula(&self, text: &str, parameters: &[&str]) -> Result<Formula, FormulaError> {
        in_engine_mode(|| self.make_formula(text, parameters))
            .map_err(|diagnostics| FormulaError::new(diagnostics, Source::new("formula", text)))
    }

    /// An error if this text cannot be read here.
    pub(crate) fn admit_formula(&self, text: &str) -> Result<(), Vec<Diagnostic>> {
        self.jit.admit().map_err(|trap| vec![Failure::from(trap).into_diagnostic(Span::new(0, 0))])?;
        let most = self.shared.settings.max_item_bytes;
        if text.len() > most {
            let message = format!("the formula is too long: more than {most} bytes");
            return Err(vec![Diagnostic::error(DiagnosticCode::ItemTooLong, None, message)]);
        }
        Ok(())
    }

    pub(crate) fn make_formula(&self, text: &str, parameters: &[&str]) -> Result<Formula, Vec<Diagnostic>> {
        let start = Instant::now();
        self.admit_formula(text)?;
        let mut program = self.shared.program();
        let name = program.name_of_formula(parameters.len() as u32);
        let Read { item, diagnostics, span } = program.read_formula(text, name, parameters);
        let Some(item) = item else { return Err(diagnostics) };
        let refuse = |failure: Failure| vec![failure.into_diagnostic(span)];
        let superseded = self.commit(&mut program, &item, text, None).map_err(refuse)?;
        let Item::Definition { id, .. } = item else { unreachable!("a formula is read as a definition") };
        program.take_formula(id);
        drop(program);
        // From here on, an error withdraws the formula.
        let definition = Arc::new(FormulaDefinition { engine: self.clone(), id });
        self.jit
            .emit(|| Event::Read { took: start.elapsed() })
            .and_then(|()| self.jit.settle(superseded))
            .map_err(|trap| refuse(trap.into()))?;
        Ok(Formula {
            function: DynFunction::new(Handle::new(self, id).keeping(definition)),
            text: text.into(),
            parameters: parameters.iter().map(|&parameter| parameter.into()).collect(),
            warnings: diagnostics.into(),
        })
    }
}

impl Formula {
    /// Calls the formula with one value for each parameter, in order.
    ///
    /// # Errors
    /// As [`DynFunction::call`].
    pub fn call(&self, args: &[f64]) -> Result<f64, CallError> {
        self.function.call(args)
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.function.handle()
    }

    /// The formula as a function.
    pub fn function(&self) -> &DynFunction {
        &self.function
    }

    /// The formula as a function with arguments of type `A`, which is faster to call.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// let hypotenuse = engine.formula("sqrt(a*a + b*b)", &["a", "b"])?.typed::<(f64, f64)>()?;
    /// assert_eq!(hypotenuse.call((3.0, 4.0))?, 5.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::WrongArity`](crate::ErrorKind::WrongArity) if the formula has a different
    /// number of parameters.
    pub fn typed<A: Arguments>(&self) -> Result<Function<A>, Error> {
        self.function.typed()
    }

    /// A handle of this formula with this time limit for each call.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self { function: self.function.within(limit), ..self.clone() }
    }

    /// The formula's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of the parameters, in order.
    pub fn parameters(&self) -> impl ExactSizeIterator<Item = &str> {
        self.parameters.iter().map(|parameter| &**parameter)
    }

    /// Warnings about the text.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a formula was rejected.
///
/// ```
/// use kaleidoscope::{DiagnosticCode, Color, Engine};
///
/// let engine = Engine::new()?;
/// let error = engine.formula("1 + (x", &["x"]).unwrap_err();
/// assert_eq!(error.diagnostics()[0].code, DiagnosticCode::UnexpectedEnd);
/// assert!(error.render(Color::Never).contains("formula:1:7"));
/// # Ok::<(), kaleidoscope::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FormulaError {
    diagnostics: Vec<Diagnostic>,
    source: Source,
}

impl FormulaError {
    pub(crate) fn new(diagnostics: Vec<Diagnostic>, source: Source) -> Self {
        Self { diagnostics, source }
    }

    /// The diagnostics, with spans in the formula's text: at least one error, and perhaps warnings.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The formula's text, in which the spans are.
    pub fn text_source(&self) -> &Source {
        &self.source
    }

    /// The diagnostics as text, each with its place marked in the formula.
    pub fn render(&self, color: Color) -> String {
        self.diagnostics.iter().map(|diagnostic| render(diagnostic, &self.source, color)).collect()
    }
}

impl fmt::Display for FormulaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
        f.write_str(error.map_or("the formula is wrong", |diagnostic| &diagnostic.message))
    }
}

impl std::error::Error for FormulaError {}
