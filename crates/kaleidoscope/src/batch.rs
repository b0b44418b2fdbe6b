//! Batches: functions and formulas applied to columns. The engine runs them
//! ([`kaleidoscope_jit::Jit::map`]).

#[cfg(feature = "arrow")]
mod arrow;

use crate::handle::Handle;
use crate::{Arguments, CallError, DynFunction, Formula, Function, MapOptions};

impl<A: Arguments> Function<A> {
    /// Calls the function with each row of the columns, of which there is one for each parameter, and writes the results to `out`: to the
    /// last bit those of single calls.
    ///
    /// With LLVM many rows are computed by code that has the function in its loop, and several at once where the processor can:
    /// as quickly as a loop in Rust. Such code is made once for a definition: in [`Mode::Lazy`] and [`Mode::Eager`] for the first
    /// thousand of rows, which wait for it; in [`Mode::Tiered`] in the background when as many rows were asked for as
    /// [calls](field@crate::Thresholds::calls) make a function hot. A definition made meanwhile may be seen by the rows still to come,
    /// or not, and so may another value that somebody gives a variable of the host.
    ///
    /// Many rows are spread over the threads of rayon's pool, if the feature `rayon` is on, unless this is called inside another
    /// evaluation, or the rows assign a [variable of the host](crate::Variable). Then functions of the host are called in no certain
    /// order, and of several rows that would fail any may be the one whose error is returned.
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def area(w h) w * h;");
    /// let area = engine.function::<(f64, f64)>("area")?;
    /// let mut areas = [0.0; 3];
    /// area.map(&[&[1.0, 2.0, 3.0], &[5.0, 5.0, 5.0]], &mut areas)?;
    /// assert_eq!(areas, [5.0, 10.0, 15.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`WrongArgumentCount`](crate::DiagnosticCode::WrongArgumentCount) when there are more or fewer columns than parameters,
    /// [`WrongColumnLength`](crate::DiagnosticCode::WrongColumnLength) when one is not as long as `out`; and what ended a row early, as for
    /// [`call`](Self::call), a time limit or an interrupter: then results of some rows have been written, and which is not said.
    pub fn map(&self, columns: &[&[f64]], out: &mut [f64]) -> Result<(), CallError> {
        self.map_with(MapOptions::new(), columns, out)
    }

    /// The same, as the options say.
    ///
    /// # Errors
    /// As [`map`](Self::map).
    pub fn map_with(
        &self,
        options: impl Into<MapOptions>,
        columns: &[&[f64]],
        out: &mut [f64],
    ) -> Result<(), CallError> {
        map(self.handle(), options.into(), columns, out)
    }
}

impl DynFunction {
    /// Calls the function with each row of the columns, as [`Function::map`].
    ///
    /// # Errors
    /// As [`Function::map`].
    pub fn map(&self, columns: &[&[f64]], out: &mut [f64]) -> Result<(), CallError> {
        self.map_with(MapOptions::new(), columns, out)
    }

    /// The same, as the options say.
    ///
    /// # Errors
    /// As [`Function::map`].
    pub fn map_with(
        &self,
        options: impl Into<MapOptions>,
        columns: &[&[f64]],
        out: &mut [f64],
    ) -> Result<(), CallError> {
        map(self.handle(), options.into(), columns, out)
    }
}

impl Formula {
    /// Computes the formula for each row of the columns, as [`Function::map`].
    ///
    /// ```
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// let line = engine.formula("a*x + b", &["a", "x", "b"])?;
    /// let mut ys = [0.0; 2];
    /// line.map(&[&[2.0, 2.0], &[10.0, 20.0], &[1.0, 1.0]], &mut ys)?;
    /// assert_eq!(ys, [21.0, 41.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Function::map`].
    pub fn map(&self, columns: &[&[f64]], out: &mut [f64]) -> Result<(), CallError> {
        self.function().map(columns, out)
    }

    /// The same, as the options say.
    ///
    /// # Errors
    /// As [`Function::map`].
    pub fn map_with(
        &self,
        options: impl Into<MapOptions>,
        columns: &[&[f64]],
        out: &mut [f64],
    ) -> Result<(), CallError> {
        self.function().map_with(options, columns, out)
    }
}

fn map(function: &Handle, options: MapOptions, columns: &[&[f64]], out: &mut [f64]) -> Result<(), CallError> {
    let arity = function.callable.arity();
    if columns.len() != arity as usize {
        return Err(function.wrong_count(columns.len()));
    }
    let engine = &function.engine;
    engine.jit.map(function.callable, options, columns, out, engine.limits).map_err(CallError::from)
}
