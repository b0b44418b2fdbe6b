//! A function applied to columns: many calls in one.
//!
//! Where there is code for rows (`rows.rs`) that runs, with the function inside its loop; until then, and where there is none,
//! the rows are calls in one scope, or runs of the reference evaluator. The bits are the same on every way, but where
//! somebody asks for [`Precision::Fast`]. Many rows are spread over threads (`batch/spread.rs`).

#[cfg(feature = "arrow")]
mod arrow;
#[cfg(feature = "rayon")]
mod spread;

use crate::evaluation::call_in_reference;
use crate::failure::Failure;
use crate::handle::Handle;
use crate::interrupt::Watch;
use crate::jit::{Inside, RowsKey, Source};
use crate::policy;
use crate::rows;
use crate::shared::{Shared, stub_of};
use crate::{Arguments, CallError, DynFunction, Formula, Function, Mode};

/// How exact the results of a map are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precision {
    /// To the last bit those of single calls.
    #[default]
    Strict,
    /// Calls of the C library's maths functions may be ones of its vector maths library, which compute several rows at
    /// once, and whose results differ from the exact ones by less than 4 units in the last place. Nothing else changes. It makes no
    /// difference for functions with loops, with recursion, or that call host functions, nor where the library is missing or lacks one
    /// of the functions that are called, as it does `fmod`, `fmin`, `fmax` and `tgamma`.
    Fast,
}

impl Precision {
    /// Both.
    pub(crate) const ALL: &[Self] = &[Self::Strict, Self::Fast];
}

/// How columns are mapped. A [`Precision`] alone will do where the rest is as usual.
///
/// ```
/// use kaleidoscope::{Engine, MapOptions, Precision};
///
/// let engine = Engine::new()?;
/// let wave = engine.formula("a * sin(x)", &["a", "x"])?;
/// let mut out = [0.0; 2];
/// wave.map_with(Precision::Fast, &[&[1.0, 2.0], &[0.0, 0.0]], &mut out)?;
/// assert_eq!(out, [0.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapOptions {
    precision: Precision,
    threads: Threads,
}

/// Which threads compute rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Threads {
    /// Those of rayon's pool, where there are rows enough and the feature is on.
    #[default]
    Many,
    /// The one that calls.
    This,
}

impl MapOptions {
    /// As exact as single calls, on as many threads as there are.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How exact the results are; [`Precision::Strict`] if not set.
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// All rows are computed on the calling thread, in order; if not set, many rows are spread over threads by the feature `rayon`,
    /// which is on by default.
    #[must_use]
    pub fn on_this_thread(mut self) -> Self {
        self.threads = Threads::This;
        self
    }
}

impl From<Precision> for MapOptions {
    fn from(precision: Precision) -> Self {
        Self::new().precision(precision)
    }
}

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
        let name = function.signature().name;
        return Err(Failure::ArgumentCount { name, given: columns.len(), takes: arity }.into());
    }
    if let Some(column) = columns.iter().position(|column| column.len() != out.len()) {
        let failure = Failure::ColumnLength { column, given: columns[column].len(), takes: out.len() };
        return Err(failure.into());
    }
    let shared = &function.engine.jit.source;
    let watch = Watch::begin(&shared.interrupter, function.engine.time_limit);
    let batch =
        Batch { function, key: RowsKey { function: stub_of(function.id), precision: options.precision } };
    rows::prepare(&function.engine.jit, function.id, batch.key, out.len())?;
    batch.run(options.threads, &watch, columns, out).map_err(CallError::from)
}

/// Rows to be computed by a function.
#[derive(Clone, Copy)]
struct Batch<'a> {
    function: &'a Handle,
    key: RowsKey,
}

impl Batch<'_> {
    fn run(
        self,
        threads: Threads,
        watch: &Watch<'_>,
        columns: &[&[f64]],
        out: &mut [f64],
    ) -> Result<(), Failure> {
        let shared = &self.function.engine.jit.source;
        if shared.settings.mode == Mode::Off {
            return by_calls(columns, 0, out, |args| match watch.ask() {
                None => call_in_reference(shared, watch, self.function.id, args),
                Some(cause) => Err(cause.into_failure()),
            });
        }
        match threads {
            #[cfg(feature = "rayon")]
            Threads::Many if self.may_spread(out.len()) => spread::run(self, watch, columns, out),
            _ => self.enter(watch, |inside| self.run_inside(inside, columns, out)),
        }
    }

    /// Whether so many rows are worth more threads than this, and do not work on one another. Inside another evaluation they
    /// are not: what stops that one must reach them, and the rows of others must not get between the two.
    #[cfg(feature = "rayon")]
    fn may_spread(self, n_rows: usize) -> bool {
        let program = || self.function.engine.jit.source.program();
        n_rows >= policy::ROWS_TO_SPREAD
            && rayon::current_num_threads() > 1
            && !kaleidoscope_native::in_guarded_call()
            && !program().may_assign(self.function.id)
    }

    /// Runs the body inside of the engine.
    fn enter(
        self,
        watch: &Watch<'_>,
        body: impl FnOnce(&Inside<'_, Shared>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let jit = &self.function.engine.jit;
        jit.enter(watch, jit.source.settings.stack_bytes, body).flatten()
    }

    /// By code for rows as soon as there is any.
    fn run_inside(
        self,
        inside: &Inside<'_, Shared>,
        columns: &[&[f64]],
        out: &mut [f64],
    ) -> Result<(), Failure> {
        let jit = &self.function.engine.jit;
        let mut done = 0;
        while done < out.len() {
            if let Some(code) = jit.rows(self.key) {
                jit.source.called(self.key.function, code.version())?;
                let rest: Vec<&[f64]> = columns.iter().map(|column| &column[done..]).collect();
                return inside.run_rows(code, &rest, &mut out[done..]);
            }
            let end = out.len().min(done + policy::ROWS_BETWEEN_LOOKS);
            let callable = self.function.callable;
            by_calls(columns, done, &mut out[done..end], |args| inside.call(callable, args))?;
            done = end;
        }
        Ok(())
    }
}

/// Computes the rows from the `first` on, one by one.
fn by_calls(
    columns: &[&[f64]],
    first: usize,
    out: &mut [f64],
    mut call: impl FnMut(&[f64]) -> Result<f64, Failure>,
) -> Result<(), Failure> {
    let mut args = vec![0.0; columns.len()];
    for (nth, out) in out.iter_mut().enumerate() {
        for (arg, column) in args.iter_mut().zip(columns) {
            *arg = column[first + nth];
        }
        *out = call(&args)?;
    }
    Ok(())
}
