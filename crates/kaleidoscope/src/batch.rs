//! Batches: functions and formulas applied to columns. [`kaleidoscope_jit::Jit::map`] runs them.

#[cfg(feature = "arrow")]
pub(crate) mod arrow;

use crate::handle::Handle;
use crate::{Arguments, CallError, Column, DynFunction, Formula, Function, MapOptions};

/// Defines the batch methods of every type that a program's function can have in Rust.
macro_rules! batch_methods {
    ($([$($parameter:tt)*] $callable:ty),*) => {$(
        impl<$($parameter)*> $callable {
            /// Applies the function to each row of the columns, and writes the results to `out`.
            /// There is one column for each parameter. The results equal those of single calls to
            /// the last bit.
            ///
            /// A function that has no loops, assigns no host variable, and calls only functions
            /// like it and maths functions runs by columns: one operation after the other over
            /// blocks of rows, without machine code of the program. Other functions, and few rows,
            /// run by single calls. Both ways work without the optimizing compiler.
            ///
            /// The optimizing compiler compiles a kernel for large batches: a loop over the rows
            /// that inlines the function, vectorized where the processor can. One kernel is
            /// compiled for each definition, in the background:
            ///
            /// - In [`Mode::Lazy`](crate::Mode::Lazy) and [`Mode::Eager`](crate::Mode::Eager), once
            ///   the function has been applied to 1,000 rows. A function that does not run by
            ///   columns waits for the kernel, as its single calls wait for code.
            /// - In [`Mode::Tiered`](crate::Mode::Tiered), once the function has been applied to as
            ///   many rows as [`Thresholds::calls`](field@crate::Thresholds::calls) says.
            ///
            /// [`Event::Mapped`](crate::Event::Mapped) says how many rows each way has computed.
            ///
            /// Each row is a call: if a function is redefined during a batch, the rows that follow
            /// call the new definition. If a host variable is assigned by another thread, the
            /// remaining rows may use the old or the new value.
            ///
            /// With the feature `rayon`, large batches are spread over the threads of rayon's
            /// pool. Batches inside another evaluation are not, nor are functions that assign a
            /// host variable ([`Variable`](crate::Variable)). Then host functions are called in
            /// any order, and if several rows fail, any of their errors may be returned.
            ///
            /// ```
            /// use kaleidoscope::Engine;
            ///
            /// let engine = Engine::new()?;
            /// engine.run("def area(w h) w * h;").ok()?;
            /// let area = engine.function::<(f64, f64)>("area")?;
            /// let mut areas = [0.0; 3];
            /// area.map(&[&[1.0, 2.0, 3.0], &[5.0, 5.0, 5.0]], &mut areas)?;
            /// assert_eq!(areas, [5.0, 10.0, 15.0]);
            ///
            /// let line = engine.formula("a*x + b", &["a", "x", "b"])?;
            /// let mut ys = [0.0; 2];
            /// line.map(&[&[2.0, 2.0], &[10.0, 20.0], &[1.0, 1.0]], &mut ys)?;
            /// assert_eq!(ys, [21.0, 41.0]);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// - [`WrongArgumentCount`](crate::DiagnosticCode::WrongArgumentCount) if the number
            ///   of columns is not the number of parameters.
            /// - [`WrongColumnLength`](crate::DiagnosticCode::WrongColumnLength) if a column is
            ///   not as long as `out`.
            /// - The error of a row, as for a single call, or of a time limit or interrupt. Some
            ///   rows of `out` may have been written by then.
            pub fn map(&self, columns: &[&[f64]], out: &mut [f64]) -> Result<(), CallError> {
                self.map_with(MapOptions::new(), columns, out)
            }

            /// As [`map`](Self::map), with options or a [`Precision`](crate::Precision).
            ///
            /// ```
            /// use kaleidoscope::{Engine, Precision};
            ///
            /// let engine = Engine::new()?;
            /// let wave = engine.formula("a * sin(x)", &["a", "x"])?;
            /// let mut out = [0.0; 2];
            /// wave.map_with(Precision::Fast, &[&[1.0, 2.0], &[0.0, 0.0]], &mut out)?;
            /// assert_eq!(out, [0.0, 0.0]);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
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

            /// As [`map_with`](Self::map_with), for columns that may be *scalars*: one value for
            /// all rows ([`Column`](crate::Column)). A host that has one column and constant
            /// parameters needs no columns for these. What the function computes from scalars
            /// alone is computed once for many rows.
            ///
            /// Each choice of scalars has a kernel of its own.
            ///
            /// ```
            /// use kaleidoscope::{Column, Engine, MapOptions};
            ///
            /// let engine = Engine::new()?;
            /// let line = engine.formula("a*x + b", &["a", "x", "b"])?;
            /// let mut ys = [0.0; 2];
            /// let columns = [Column::Scalar(2.0), Column::Rows(&[10.0, 20.0]), Column::Scalar(1.0)];
            /// line.map_columns(MapOptions::new(), &columns, &mut ys)?;
            /// assert_eq!(ys, [21.0, 41.0]);
            ///
            /// let xs = vec![5.0, 6.0];
            /// line.map_columns(MapOptions::new(), &[2.0.into(), (&xs).into(), 0.0.into()], &mut ys)?;
            /// assert_eq!(ys, [10.0, 12.0]);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// As [`map`](Self::map).
            pub fn map_columns(
                &self,
                options: impl Into<MapOptions>,
                columns: &[Column<'_>],
                out: &mut [f64],
            ) -> Result<(), CallError> {
                map_columns(self.handle(), options.into(), columns, out)
            }

            /// As [`map`](Self::map), for columns of Apache Arrow. Where any column is null, the
            /// result is null and the function is not called. Without columns there are no rows.
            ///
            /// ```
            /// use arrow_array::Float64Array;
            /// use kaleidoscope::Engine;
            ///
            /// let engine = Engine::new()?;
            /// engine.run("def area(w h) w * h;").ok()?;
            /// let area = engine.function::<(f64, f64)>("area")?;
            /// let widths = Float64Array::from(vec![Some(1.0), None, Some(3.0)]);
            /// let heights = Float64Array::from(vec![5.0, 5.0, 5.0]);
            /// let areas = area.map_arrow(&[&widths, &heights])?;
            /// assert_eq!(areas, Float64Array::from(vec![Some(5.0), None, Some(15.0)]));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// As [`map`](Self::map).
            /// [`WrongColumnLength`](crate::DiagnosticCode::WrongColumnLength) if a column is not
            /// as long as the first.
            #[cfg(feature = "arrow")]
            pub fn map_arrow(
                &self,
                columns: &[&arrow_array::Float64Array],
            ) -> Result<arrow_array::Float64Array, CallError> {
                self.map_arrow_with(MapOptions::new(), columns)
            }

            /// As [`map_arrow`](Self::map_arrow), with options or a
            /// [`Precision`](crate::Precision).
            ///
            /// # Errors
            /// As [`map_arrow`](Self::map_arrow).
            #[cfg(feature = "arrow")]
            pub fn map_arrow_with(
                &self,
                options: impl Into<MapOptions>,
                columns: &[&arrow_array::Float64Array],
            ) -> Result<arrow_array::Float64Array, CallError> {
                let (handle, options) = (self.handle(), options.into());
                let map = |columns: &[&[f64]], outs: &mut [&mut [f64]]| {
                    map(handle, options, columns, outs[0])
                };
                Ok(arrow::apply(columns, 1, map)?.swap_remove(0))
            }

            /// Applies the function to each row, in order, with the result of the row before as
            /// first argument: `init` in the first row. There is one column for each other
            /// parameter. Writes the results to `out`.
            ///
            /// The optimizing compiler compiles a kernel for large columns, as for
            /// [`map`](Self::map). Until there is one, and without that compiler, rows run by
            /// single calls. All rows are computed on the calling thread.
            ///
            /// Each row is a call, so a redefinition during a scan holds for the rows that follow.
            ///
            /// ```
            /// use kaleidoscope::Engine;
            ///
            /// let engine = Engine::new()?;
            /// let average = engine.formula("s + 0.5 * (x - s)", &["s", "x"])?;
            /// let mut averages = [0.0; 3];
            /// average.scan(8.0, &[&[0.0, 4.0, 8.0]], &mut averages)?;
            /// assert_eq!(averages, [4.0, 4.0, 6.0]);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// As [`map`](Self::map). [`CallError::row`] says in which row, and `out` has the
            /// results of all rows before it.
            pub fn scan(&self, init: f64, columns: &[&[f64]], out: &mut [f64]) -> Result<(), CallError> {
                scan(self.handle(), init, columns, out)
            }

            /// The result of the last row of a [`scan`](Self::scan). `init` if there are no rows;
            /// without columns there are none.
            ///
            /// ```
            /// use kaleidoscope::Engine;
            ///
            /// let engine = Engine::new()?;
            /// let largest = engine.formula("fmax(most, x)", &["most", "x"])?;
            /// assert_eq!(largest.fold(0.0, &[&[3.0, 7.0, 5.0]])?, 7.0);
            /// assert_eq!(largest.fold(0.0, &[&[]])?, 0.0);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// As [`scan`](Self::scan). [`WrongColumnLength`](crate::DiagnosticCode::WrongColumnLength)
            /// if a column is not as long as the first.
            pub fn fold(&self, init: f64, columns: &[&[f64]]) -> Result<f64, CallError> {
                fold(self.handle(), init, columns)
            }

            /// As [`scan`](Self::scan), for columns of Apache Arrow. Where any column is null, the
            /// result is null, the function is not called, and the next row gets what this one
            /// would have got.
            ///
            /// ```
            /// use arrow_array::Float64Array;
            /// use kaleidoscope::Engine;
            ///
            /// let engine = Engine::new()?;
            /// let sum = engine.formula("sum + x", &["sum", "x"])?;
            /// let column = Float64Array::from(vec![Some(1.0), None, Some(3.0)]);
            /// let sums = sum.scan_arrow(0.0, &[&column])?;
            /// assert_eq!(sums, Float64Array::from(vec![Some(1.0), None, Some(4.0)]));
            /// assert_eq!(sum.fold_arrow(0.0, &[&column])?, 4.0);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// As [`scan`](Self::scan).
            /// [`WrongColumnLength`](crate::DiagnosticCode::WrongColumnLength) if a column is not
            /// as long as the first.
            #[cfg(feature = "arrow")]
            pub fn scan_arrow(
                &self,
                init: f64,
                columns: &[&arrow_array::Float64Array],
            ) -> Result<arrow_array::Float64Array, CallError> {
                let handle = self.handle();
                let scan = |columns: &[&[f64]], outs: &mut [&mut [f64]]| {
                    scan(handle, init, columns, outs[0])
                };
                Ok(arrow::apply(columns, 1, scan)?.swap_remove(0))
            }

            /// The last result of a [`scan_arrow`](Self::scan_arrow) that is not null; `init` if
            /// there is none.
            ///
            /// # Errors
            /// As [`scan_arrow`](Self::scan_arrow).
            #[cfg(feature = "arrow")]
            pub fn fold_arrow(
                &self,
                init: f64,
                columns: &[&arrow_array::Float64Array],
            ) -> Result<f64, CallError> {
                let rows = arrow::ValidRows::new(columns)?;
                fold(self.handle(), init, &rows.columns()).map_err(|error| rows.place(error))
            }
        }
    )*};
}

batch_methods! { [A: Arguments] Function<A>, [] DynFunction, [] Formula }

fn map(function: &Handle, options: MapOptions, columns: &[&[f64]], out: &mut [f64]) -> Result<(), CallError> {
    function.check_count(columns.len())?;
    let engine = &function.engine;
    engine
        .jit
        .map(function.callable, options, columns, out, engine.limits)
        .map_err(|trap| engine.call_error(trap))
}

fn map_columns(
    function: &Handle,
    options: MapOptions,
    columns: &[Column<'_>],
    out: &mut [f64],
) -> Result<(), CallError> {
    function.check_count(columns.len())?;
    let engine = &function.engine;
    engine
        .jit
        .map_columns(function.callable, options, columns, out, engine.limits)
        .map_err(|trap| engine.call_error(trap))
}

fn scan(function: &Handle, init: f64, columns: &[&[f64]], out: &mut [f64]) -> Result<(), CallError> {
    function.check_count(1 + columns.len())?;
    let engine = &function.engine;
    engine
        .jit
        .scan(function.callable, init, columns, out, engine.limits)
        .map_err(|trap| engine.row_error(trap))
}

fn fold(function: &Handle, init: f64, columns: &[&[f64]]) -> Result<f64, CallError> {
    function.check_count(1 + columns.len())?;
    let engine = &function.engine;
    engine.jit.fold(function.callable, init, columns, engine.limits).map_err(|trap| engine.row_error(trap))
}
