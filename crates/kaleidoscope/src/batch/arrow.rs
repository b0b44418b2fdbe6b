//! Batches over columns of Apache Arrow. No function is called for rows with a null.

use crate::CallError;
use arrow_array::{Array, Float64Array};
use arrow_buffer::NullBuffer;
use kaleidoscope_jit::Trap;
use std::borrow::Cow;

/// The rows without nulls.
///
/// Null rows hold arbitrary values, for which a function may fail or never return. So only the
/// other rows are passed on.
pub(crate) struct ValidRows<'a> {
    /// The number of all rows.
    n_rows: usize,
    /// Which rows are null, if any may be.
    nulls: Option<NullBuffer>,
    columns: Vec<Cow<'a, [f64]>>,
}

impl<'a> ValidRows<'a> {
    /// The valid rows of the columns. Without columns there are no rows.
    pub(crate) fn new(columns: &[&'a Float64Array]) -> Result<Self, CallError> {
        let n_rows = columns.first().map_or(0, Array::len);
        if let Some(column) = columns.iter().position(|column| column.len() != n_rows) {
            let given = columns[column].len();
            return Err(Trap::ColumnLength { column, given, takes: n_rows }.into());
        }
        let nulls = columns.iter().fold(None, |nulls: Option<NullBuffer>, column| {
            NullBuffer::union(nulls.as_ref(), column.nulls())
        });
        let columns = columns.iter().map(|column| {
            let values: &'a [f64] = column.values();
            match nulls.as_ref().filter(|nulls| nulls.null_count() > 0) {
                None => Cow::Borrowed(values),
                Some(nulls) => nulls.valid_indices().map(|row| values[row]).collect(),
            }
        });
        let columns = columns.collect();
        Ok(Self { n_rows, nulls, columns })
    }

    /// The columns, of the valid rows.
    pub(crate) fn columns(&self) -> Vec<&[f64]> {
        self.columns.iter().map(|column| &**column).collect()
    }

    /// The nulls, if there are any.
    fn some_nulls(&self) -> Option<&NullBuffer> {
        self.nulls.as_ref().filter(|nulls| nulls.null_count() > 0)
    }

    fn n_valid(&self) -> usize {
        self.n_rows - self.nulls.as_ref().map_or(0, NullBuffer::null_count)
    }

    /// The results of all rows, from those of the valid ones.
    fn array(&self, results: Vec<f64>) -> Float64Array {
        let Some(nulls) = self.some_nulls() else {
            return Float64Array::new(results.into(), self.nulls.clone());
        };
        let mut out = vec![0.0; self.n_rows];
        for (row, result) in nulls.valid_indices().zip(results) {
            out[row] = result;
        }
        Float64Array::new(out.into(), self.nulls.clone())
    }

    /// The error with its row counted among all rows.
    pub(crate) fn place(&self, error: CallError) -> CallError {
        match (error.row(), self.some_nulls()) {
            (Some(row), Some(nulls)) => {
                error.at_row(nulls.valid_indices().nth(row).expect("the row is one of the valid ones"))
            }
            _ => error,
        }
    }
}

/// Applies functions to the valid rows. `apply` writes this number of results for each.
pub(crate) fn apply(
    columns: &[&Float64Array],
    n_results: usize,
    mut apply: impl FnMut(&[&[f64]], &mut [&mut [f64]]) -> Result<(), CallError>,
) -> Result<Vec<Float64Array>, CallError> {
    let rows = ValidRows::new(columns)?;
    let mut results = vec![vec![0.0; rows.n_valid()]; n_results];
    let mut outs: Vec<_> = results.iter_mut().map(Vec::as_mut_slice).collect();
    apply(&rows.columns(), &mut outs).map_err(|error| rows.place(error))?;
    Ok(results.into_iter().map(|results| rows.array(results)).collect())
}
