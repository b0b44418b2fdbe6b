//! Batches over columns of Apache Arrow. The function is not called for rows with a null.

use crate::handle::Handle;
use crate::{CallError, MapOptions};
use arrow_array::{Array, Float64Array};
use arrow_buffer::NullBuffer;
use kaleidoscope_jit::Trap;

pub(super) fn map(
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
        None => super::map(function, options, &values, &mut out)?,
        Some(nulls) => {
            // Null rows hold arbitrary values, for which the function may fail or never return. So
            // only the other rows are passed on.
            let valid: Vec<Vec<f64>> =
                values.iter().map(|values| nulls.valid_indices().map(|row| values[row]).collect()).collect();
            let valid: Vec<&[f64]> = valid.iter().map(Vec::as_slice).collect();
            let mut results = vec![0.0; n_rows - nulls.null_count()];
            super::map(function, options, &valid, &mut results)?;
            for (row, result) in nulls.valid_indices().zip(results) {
                out[row] = result;
            }
        }
    }
    Ok(Float64Array::new(out.into(), nulls))
}
