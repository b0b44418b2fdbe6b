//! Several formulas over the same parameters, evaluated together.

#[cfg(feature = "arrow")]
use crate::batch::arrow;
use crate::failure::Failure;
use crate::formula_definition::FormulaDefinition;
use crate::handle::Handle;
use crate::{
    CallError, Column, Diagnostic, DiagnosticCode, Engine, Formula, FormulaError, MapOptions, Scope, Source,
};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_jit::{Group, in_engine_mode};
use kaleidoscope_lang::formula::combine_formulas;
use kaleidoscope_lang::item::Item;
use kaleidoscope_lang::source::Span;
use std::sync::Arc;
use std::time::Duration;

/// Several formulas over the same parameters. From [`Engine::formulas`].
///
/// Over columns, a common part of the formulas is computed once: a maths function of the same
/// argument, say. Single calls compute each formula by itself.
///
/// The results are those of the formulas one after the other, in order: what the first one prints
/// or assigns precedes the second.
///
/// Clones are the same formulas. The engine frees their code when the last clone is dropped.
///
/// ```
/// use kaleidoscope::Engine;
///
/// let engine = Engine::new()?;
/// let polar = engine.formulas(&["r * cos(t)", "r * sin(t)"], &["r", "t"])?;
/// let (mut xs, mut ys) = ([0.0; 3], [0.0; 3]);
/// polar.map(&[&[1.0, 2.0, 3.0], &[0.0, 0.0, 0.0]], &mut [&mut xs, &mut ys])?;
/// assert_eq!((xs, ys), ([1.0, 2.0, 3.0], [0.0; 3]));
///
/// let mut point = [0.0; 2];
/// polar.call(&[5.0, 0.0], &mut point)?;
/// assert_eq!(point, [5.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Formulas {
    /// The function that has the results of all.
    all: Handle,
    group: Group,
    formulas: Arc<[Formula]>,
}

impl Engine {
    /// Defines formulas over the same parameters, to be evaluated together. Each text is one as for
    /// [`Engine::formula`].
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// let roots = engine.formulas(
    ///     &["(0 - b - sqrt(b*b - 4*a*c)) / (2*a)", "(0 - b + sqrt(b*b - 4*a*c)) / (2*a)"],
    ///     &["a", "b", "c"],
    /// )?;
    /// let mut both = [0.0; 2];
    /// roots.call(&[1.0, -3.0, 2.0], &mut both)?;
    /// assert_eq!(both, [1.0, 2.0]);
    ///
    /// let error = engine.formulas(&["a + 1", "a +"], &["a"]).unwrap_err();
    /// assert!(error.render(kaleidoscope::Color::Never).contains("formula 2:1:4"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Engine::formula`], for the first text with a mistake: its source is named `formula` and
    /// a number, from 1. An error, too, if there is no text.
    pub fn formulas(&self, texts: &[&str], parameters: &[&str]) -> Result<Formulas, FormulaError> {
        in_engine_mode(|| self.make_formulas(texts, parameters))
    }

    fn make_formulas(&self, texts: &[&str], parameters: &[&str]) -> Result<Formulas, FormulaError> {
        let source = |nth: usize| {
            Source::new(&format!("formula {}", nth + 1), texts.get(nth).copied().unwrap_or_default())
        };
        let mut formulas = Vec::with_capacity(texts.len());
        for (nth, text) in texts.iter().enumerate() {
            let formula = self.make_formula(text, parameters);
            formulas.push(formula.map_err(|diagnostics| FormulaError::new(diagnostics, source(nth)))?);
        }
        let ids: Vec<_> = formulas.iter().map(|formula| formula.handle().callable.function()).collect();
        let all = self.combine(&ids, parameters);
        let all = all.map_err(|diagnostic| FormulaError::new(vec![diagnostic], source(0)))?;
        let group = self.jit.group(all.callable.function(), &ids);
        Ok(Formulas { all, group, formulas: formulas.into() })
    }

    /// Defines the function with the results of these formulas.
    fn combine(&self, formulas: &[FunctionId], parameters: &[&str]) -> Result<Handle, Diagnostic> {
        if formulas.is_empty() {
            let message = "there is no formula";
            return Err(Diagnostic::error(DiagnosticCode::WrongResultCount, None, message));
        }
        let refuse = |failure: Failure| failure.into_diagnostic(Span::new(0, 0));
        let mut program = self.shared.program();
        let name = program.name_of_formula(parameters.len() as u32);
        let item = combine_formulas(name, parameters, formulas, &program.names);
        let superseded = self.commit(&mut program, &item, "", None).map_err(refuse)?;
        let Item::Definition { id, .. } = item else { unreachable!("formulas become a definition") };
        program.take_formula(id);
        drop(program);
        // From here on, an error withdraws the function.
        let definition = Arc::new(FormulaDefinition { engine: self.clone(), id });
        self.jit.settle(superseded).map_err(|trap| refuse(trap.into()))?;
        Ok(Handle::new(self, id).keeping(definition))
    }
}

impl Formulas {
    /// The formulas, in the order of their results. Each can be used by itself.
    pub fn formulas(&self) -> &[Formula] {
        &self.formulas
    }

    /// The names of the parameters, in order.
    pub fn parameters(&self) -> impl ExactSizeIterator<Item = &str> {
        self.formulas[0].parameters()
    }

    /// A handle of these formulas with this time limit for each call, of all of them together.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        let formulas = self.formulas.iter().map(|formula| formula.within(limit)).collect();
        Self { all: self.all.within(limit), formulas, ..self.clone() }
    }

    /// Evaluates the formulas, and writes the result of each.
    ///
    /// # Errors
    /// As [`Formula::call`], and [`WrongResultCount`](DiagnosticCode::WrongResultCount) if `results`
    /// are not as many as the formulas. After an error, some may have been written.
    pub fn call(&self, args: &[f64], results: &mut [f64]) -> Result<(), CallError> {
        self.all.check_count(args.len())?;
        let engine = &self.all.engine;
        let called = engine.jit.call_group(&self.group, args, results, engine.limits);
        called.map_err(|trap| engine.call_error(trap))
    }

    /// Evaluates the formulas for each row of the columns, one column for each parameter, and
    /// writes the results of each formula to one of `outs`. Each equals that of
    /// [`Formula::map`] to the last bit, and is computed in the same ways.
    ///
    /// # Errors
    /// As [`Formula::map`]. [`WrongResultCount`](DiagnosticCode::WrongResultCount) if `outs` are
    /// not as many as the formulas, [`WrongColumnLength`](DiagnosticCode::WrongColumnLength) if
    /// they are not equally long.
    pub fn map(&self, columns: &[&[f64]], outs: &mut [&mut [f64]]) -> Result<(), CallError> {
        self.map_with(MapOptions::new(), columns, outs)
    }

    /// As [`map`](Self::map), with options or a [`Precision`](crate::Precision).
    ///
    /// # Errors
    /// As [`map`](Self::map).
    pub fn map_with(
        &self,
        options: impl Into<MapOptions>,
        columns: &[&[f64]],
        outs: &mut [&mut [f64]],
    ) -> Result<(), CallError> {
        self.all.check_count(columns.len())?;
        let engine = &self.all.engine;
        engine
            .jit
            .map_group(&self.group, options.into(), columns, outs, engine.limits)
            .map_err(|trap| engine.call_error(trap))
    }

    /// As [`map_with`](Self::map_with), for columns that may be scalars: one value for all rows. See
    /// [`Formula::map_columns`].
    ///
    /// # Errors
    /// As [`map`](Self::map).
    pub fn map_columns(
        &self,
        options: impl Into<MapOptions>,
        columns: &[Column<'_>],
        outs: &mut [&mut [f64]],
    ) -> Result<(), CallError> {
        self.all.check_count(columns.len())?;
        let engine = &self.all.engine;
        engine
            .jit
            .map_group_columns(&self.group, options.into(), columns, outs, engine.limits)
            .map_err(|trap| engine.call_error(trap))
    }

    /// As [`map`](Self::map), for columns of Apache Arrow. Where any column is null, all results
    /// are null and no formula is evaluated. Without columns there are no rows.
    ///
    /// # Errors
    /// As [`map`](Self::map). [`WrongColumnLength`](DiagnosticCode::WrongColumnLength) if a column
    /// is not as long as the first.
    #[cfg(feature = "arrow")]
    pub fn map_arrow(
        &self,
        columns: &[&arrow_array::Float64Array],
    ) -> Result<Vec<arrow_array::Float64Array>, CallError> {
        self.map_arrow_with(MapOptions::new(), columns)
    }

    /// As [`map_arrow`](Self::map_arrow), with options or a [`Precision`](crate::Precision).
    ///
    /// # Errors
    /// As [`map_arrow`](Self::map_arrow).
    #[cfg(feature = "arrow")]
    pub fn map_arrow_with(
        &self,
        options: impl Into<MapOptions>,
        columns: &[&arrow_array::Float64Array],
    ) -> Result<Vec<arrow_array::Float64Array>, CallError> {
        let options = options.into();
        arrow::apply(columns, self.formulas.len(), |columns, outs| self.map_with(options, columns, outs))
    }

    /// Evaluates the formulas for each row, in order, with the results of the row before. These are
    /// the first arguments, one for each formula: `init` in the first row. There is one column for
    /// each other parameter. Writes the results of each formula to one of `outs`.
    ///
    /// See [`Formula::scan`] for how rows are computed.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// // The number of values so far, and their mean.
    /// let mean = engine.formulas(&["n + 1", "mean + (x - mean) / (n + 1)"], &["n", "mean", "x"])?;
    /// let (mut ns, mut means) = ([0.0; 3], [0.0; 3]);
    /// mean.scan(&[0.0, 0.0], &[&[4.0, 8.0, 0.0]], &mut [&mut ns, &mut means])?;
    /// assert_eq!((ns, means), ([1.0, 2.0, 3.0], [4.0, 6.0, 4.0]));
    /// assert_eq!(mean.fold(&[0.0, 0.0], &[&[4.0, 8.0, 0.0]])?, [3.0, 4.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`map`](Self::map), and [`WrongResultCount`](DiagnosticCode::WrongResultCount) if `init`
    /// has not as many values as there are formulas. [`CallError::row`] says in which row, and
    /// `outs` have the results of all rows before it.
    pub fn scan(&self, init: &[f64], columns: &[&[f64]], outs: &mut [&mut [f64]]) -> Result<(), CallError> {
        self.check_scan(columns.len())?;
        let engine = &self.all.engine;
        let scanned = engine.jit.scan_group(&self.group, init, columns, outs, engine.limits);
        scanned.map_err(|trap| engine.row_error(trap))
    }

    /// The results of the last row of a [`scan`](Self::scan). `init` if there are no rows; without
    /// columns there are none.
    ///
    /// # Errors
    /// As [`scan`](Self::scan). [`WrongColumnLength`](DiagnosticCode::WrongColumnLength) if a column
    /// is not as long as the first.
    pub fn fold(&self, init: &[f64], columns: &[&[f64]]) -> Result<Vec<f64>, CallError> {
        self.check_scan(columns.len())?;
        let engine = &self.all.engine;
        let folded = engine.jit.fold_group(&self.group, init, columns, engine.limits);
        folded.map_err(|trap| engine.row_error(trap))
    }

    /// As [`scan`](Self::scan), for columns of Apache Arrow. Where any column is null, all results
    /// are null, no formula is evaluated, and the next row gets what this one would have got.
    ///
    /// # Errors
    /// As [`scan`](Self::scan). [`WrongColumnLength`](DiagnosticCode::WrongColumnLength) if a column
    /// is not as long as the first.
    #[cfg(feature = "arrow")]
    pub fn scan_arrow(
        &self,
        init: &[f64],
        columns: &[&arrow_array::Float64Array],
    ) -> Result<Vec<arrow_array::Float64Array>, CallError> {
        arrow::apply(columns, self.formulas.len(), |columns, outs| self.scan(init, columns, outs))
    }

    /// The last results of a [`scan_arrow`](Self::scan_arrow) that are not null; `init` if there
    /// are none.
    ///
    /// # Errors
    /// As [`scan_arrow`](Self::scan_arrow).
    #[cfg(feature = "arrow")]
    pub fn fold_arrow(
        &self,
        init: &[f64],
        columns: &[&arrow_array::Float64Array],
    ) -> Result<Vec<f64>, CallError> {
        let rows = arrow::ValidRows::new(columns)?;
        self.fold(init, &rows.columns()).map_err(|error| rows.place(error))
    }

    fn check_scan(&self, n_columns: usize) -> Result<(), CallError> {
        self.all.check_count(self.formulas.len() + n_columns)
    }
}

impl Scope<'_> {
    /// Evaluates the formulas, and writes the result of each.
    ///
    /// # Errors
    /// As [`Formulas::call`], and [`DiagnosticCode::OtherEngine`](crate::DiagnosticCode::OtherEngine)
    /// if the formulas belong to another engine.
    pub fn call_formulas(
        &self,
        formulas: &Formulas,
        args: &[f64],
        results: &mut [f64],
    ) -> Result<(), CallError> {
        formulas.all.check_count(args.len())?;
        if !self.calls.can_call(formulas.all.callable) {
            return Err(formulas.all.foreign());
        }
        let called = self.calls.call_group(&formulas.group, args, results);
        called.map_err(|trap| formulas.all.engine.call_error(trap))
    }
}
