//! Columns of Apache Arrow: a row in which any column is null has no result, and the function does not see it.

use super::map;
use crate::handle::Handle;
use crate::{Arguments, CallError, DynFunction, Formula, Function, MapOptions};
use arrow_array::{Array, Float64Array};
use arrow_buffer::NullBuffer;
use kaleidoscope_jit::Trap;

impl<A: Arguments> Function<A> {
    /// Calls the function with each row of columns of Apache Arrow, as [`map`](Self::map). Where a column is null, so is the result, and
    /// the function is not called. Without columns there are no rows.
    ///
    /// ```
    /// use arrow_array::Float64Array;
    /// use kaleidoscope::Engine;
    ///
    /// let engine = Engine::new()?;
    /// engine.run("def area(w h) w * h;");
    /// let area = engine.function::<(f64, f64)>("area")?;
    /// let widths = Float64Array::from(vec![Some(1.0), None, Some(3.0)]);
    /// let heights = Float64Array::from(vec![5.0, 5.0, 5.0]);
    /// let areas = area.map_arrow(&[&widths, &heights])?;
    /// assert_eq!(areas, Float64Array::from(vec![Some(5.0), None, Some(15.0)]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`map`](Self::map), and [`WrongColumnLength`](crate::DiagnosticCode::WrongColumnLength) when a column is not as long as the first.
    pub fn map_arrow(&self, columns: &[&Float64Array]) -> Result<Float64Array, CallError> {
        self.map_arrow_with(MapOptions::new(), columns)
    }

    /// The same, as the options say.
    ///
    /// # Errors
    /// As [`map_arrow`](Self::map_arrow).
    pub fn map_arrow_with(
        &self,
        options: impl Into<MapOptions>,
        columns: &[&Float64Array],
    ) -> Result<Float64Array, CallError> {
        map_arrow(self.handle(), options.into(), columns)
    }
}

impl DynFunction {
    /// Calls the function with each row of columns of Apache Arrow, as [`Function::map_arrow`].
    ///
    /// # Errors
    /// As [`Function::map_arrow`].
    pub fn map_arrow(&self, columns: &[&Float64Array]) -> Result<Float64Array, CallError> {
        self.map_arrow_with(MapOptions::new(), columns)
    }

    /// The same, as the options say.
    ///
    /// # Errors
    /// As [`Function::map_arrow`].
    pub fn map_arrow_with(
        &self,
        options: impl Into<MapOptions>,
        columns: &[&Float64Array],
    ) -> Result<Float64Array, CallError> {
        map_arrow(self.handle(), options.into(), columns)
    }
}

impl Formula {
    /// Computes the formula for each row of columns of Apache Arrow, as [`Function::map_arrow`].
    ///
    /// # Errors
    /// As [`Function::map_arrow`].
    pub fn map_arrow(&self, columns: &[&Float64Array]) -> Result<Float64Array, CallError> {
        self.function().map_arrow(columns)
    }

    /// The same, as the options say.
    ///
    /// # Errors
    /// As [`Function::map_arrow`].
    pub fn map_arrow_with(
        &self,
        options: impl Into<MapOptions>,
        columns: &[&Float64Array],
    ) -> Result<Float64Array, CallError> {
        self.function().map_arrow_with(options, columns)
    }
}

fn map_arrow(
    function: &Handle,
    options: MapOptions,
    columns: &[&Float64Array],
) -> Result<Float64Array, CallError> {
    let n_rows = columns.first().map_or(0, Array::len);
    if let Some(column) = columns.iter().position(|column| column.len() != n_rows) {
        return Err(Trap::ColumnLength { column, given: columns[column].len(), takes: n_rows }.into());
    }
    let values: Vec<&[f64]> = columns.iter().map(|column| &**column.values()).collect();
    let nulls = columns
        .iter()
        .fold(None, |nulls: Option<NullBuffer>, column| NullBuffer::union(nulls.as_ref(), column.nulls()));
    let mut out = vec![0.0; n_rows];
    match nulls.as_ref().filter(|nulls| nulls.null_count() > 0) {
        None => map(function, options, &values, &mut out)?,
        Some(nulls) => {
            // What lies under a null is anything: a function may never end with it. So the rows that are there stand by themselves.
            let valid: Vec<Vec<f64>> =
                values.iter().map(|values| nulls.valid_indices().map(|row| values[row]).collect()).collect();
            let valid: Vec<&[f64]> = valid.iter().map(Vec::as_slice).collect();
            let mut results = vec![0.0; n_rows - nulls.null_count()];
            map(function, options, &valid, &mut results)?;
            for (row, result) in nulls.valid_indices().zip(results) {
                out[row] = result;
            }
        }
    }
    Ok(Float64Array::new(out.into(), nulls))
}
