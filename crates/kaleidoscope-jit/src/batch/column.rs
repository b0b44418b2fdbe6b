//! Columns: what a batch gets for each parameter.

use kaleidoscope_ir::compile::ScalarColumns;

/// The values of a parameter in a batch.
///
/// Columns of both kinds may stand side by side. What a function computes from scalars alone, it
/// computes once for many rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Column<'a> {
    /// A value for each row.
    Rows(&'a [f64]),
    /// One value for all rows.
    Scalar(f64),
}

impl From<f64> for Column<'_> {
    fn from(value: f64) -> Self {
        Self::Scalar(value)
    }
}

impl<'a> From<&'a [f64]> for Column<'a> {
    fn from(values: &'a [f64]) -> Self {
        Self::Rows(values)
    }
}

impl<'a, const N: usize> From<&'a [f64; N]> for Column<'a> {
    fn from(values: &'a [f64; N]) -> Self {
        Self::Rows(values)
    }
}

impl<'a> From<&'a Vec<f64>> for Column<'a> {
    fn from(values: &'a Vec<f64>) -> Self {
        Self::Rows(values)
    }
}

/// The columns of a batch as slices: a scalar's has one value.
#[derive(Clone, Debug)]
pub(crate) struct Columns<'a> {
    pub(super) slices: Vec<&'a [f64]>,
    pub(super) scalars: ScalarColumns,
}

impl<'a> Columns<'a> {
    /// Columns without scalars.
    pub(super) fn of_rows(columns: &[&'a [f64]]) -> Self {
        Self { slices: columns.to_vec(), scalars: ScalarColumns::default() }
    }

    /// These columns. `filled` gets the columns of [`fill`].
    pub(super) fn new(columns: &'a [Column<'a>], filled: &'a [Vec<f64>]) -> Self {
        let mut filled = filled.iter();
        let slices = columns.iter().enumerate().map(|(nth, column)| match column {
            Column::Rows(rows) => rows,
            Column::Scalar(value) if nth < ScalarColumns::MAX => std::slice::from_ref(value),
            Column::Scalar(_) => filled.next().expect("these scalars were filled"),
        });
        let slices = slices.collect();
        let is_scalar = |&(_, column): &(usize, &Column<'_>)| matches!(column, Column::Scalar(_));
        let scalars = columns.iter().enumerate().take(ScalarColumns::MAX).filter(is_scalar);
        Self { slices, scalars: scalars.map(|(nth, _)| nth).collect() }
    }
}

/// For each scalar that kernels do not know as such, since there are too many columns: its value in
/// all rows.
pub(super) fn fill(columns: &[Column<'_>], n_rows: usize) -> Vec<Vec<f64>> {
    let beyond = columns.iter().skip(ScalarColumns::MAX).filter_map(|column| match column {
        Column::Rows(_) => None,
        Column::Scalar(value) => Some(vec![*value; n_rows]),
    });
    beyond.collect()
}
