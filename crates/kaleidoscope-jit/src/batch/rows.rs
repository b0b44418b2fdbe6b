//! Rows: the rows that a batch has left to compute, and where their results go.

use super::column::Columns;
use kaleidoscope_ir::compile::{KernelTable, ScalarColumns};
use std::mem::take;

/// The rows that are left.
pub(crate) struct Rows<'a> {
    /// What is left of each column. A scalar has one value.
    pub(crate) columns: Vec<&'a [f64]>,
    scalars: ScalarColumns,
    /// What is left of the room for each result; none for a fold.
    pub(crate) outs: Vec<&'a mut [f64]>,
    /// What the row before passes to the next one; none for a map.
    pub(crate) states: Vec<f64>,
    n_left: usize,
    n_done: usize,
}

impl<'a> Rows<'a> {
    /// All rows of these columns, some of which are scalars.
    ///
    /// # Panics
    /// If a column that is no scalar, or the room for a result, has another length.
    pub(crate) fn new(
        columns: Columns<'a>,
        outs: Vec<&'a mut [f64]>,
        states: Vec<f64>,
        n_rows: usize,
    ) -> Self {
        let Columns { slices: columns, scalars } = columns;
        let len = |column| if scalars.contains(column) { 1 } else { n_rows };
        let are_long = columns.iter().enumerate().all(|(nth, column)| column.len() == len(nth));
        assert!(are_long, "columns are as long as the results");
        assert!(outs.iter().all(|out| out.len() == n_rows), "results are equally long");
        Self { columns, scalars, outs, states, n_left: n_rows, n_done: 0 }
    }

    /// The columns that are scalars.
    pub(crate) fn scalars(&self) -> ScalarColumns {
        self.scalars
    }

    /// The number of rows that are left.
    pub(crate) fn n_left(&self) -> usize {
        self.n_left
    }

    /// The number of rows that are done.
    pub(crate) fn n_done(&self) -> usize {
        self.n_done
    }

    /// The bytes of columns and results that are left.
    pub(crate) fn n_bytes(&self) -> usize {
        let n_values: usize = self.columns.iter().map(|column| column.len()).sum();
        (n_values + self.outs.len() * self.n_left) * size_of::<f64>()
    }

    /// The first rows are done.
    pub(crate) fn advance(&mut self, n_rows: usize) {
        self.drop_first_of_columns(n_rows);
        self.outs.iter_mut().for_each(|out| *out = &mut take(out)[n_rows..]);
        self.n_left -= n_rows;
        self.n_done += n_rows;
    }

    fn drop_first_of_columns(&mut self, n_rows: usize) {
        for (_, column) in self.columns.iter_mut().enumerate().filter(|(nth, _)| !self.scalars.contains(*nth))
        {
            *column = &column[n_rows..];
        }
    }

    /// Computes the next rows one by one. `call` computes the result with this number from the
    /// arguments of a row.
    pub(crate) fn by_calls<T>(
        &mut self,
        n_rows: usize,
        n_results: usize,
        mut call: impl FnMut(usize, &[f64]) -> Result<f64, T>,
    ) -> Result<(), T> {
        let n_states = self.states.len();
        let mut args = vec![0.0; n_states + self.columns.len()];
        let mut results = vec![0.0; n_results];
        for row in 0..n_rows {
            args[..n_states].copy_from_slice(&self.states);
            for (nth, (arg, column)) in args[n_states..].iter_mut().zip(&self.columns).enumerate() {
                *arg = column[if self.scalars.contains(nth) { 0 } else { row }];
            }
            for (nth, result) in results.iter_mut().enumerate() {
                match call(nth, &args) {
                    Ok(value) => *result = value,
                    Err(trap) => {
                        self.advance(row);
                        return Err(trap);
                    }
                }
            }
            for (out, result) in self.outs.iter_mut().zip(&results) {
                out[row] = *result;
            }
            // None in a map.
            self.states.copy_from_slice(&results[..n_states]);
        }
        self.advance(n_rows);
        Ok(())
    }

    /// The first rows as a kernel wants them. The vectors get the pointers in the table, which are
    /// valid until the rows or the vectors change.
    ///
    /// # Panics
    /// If there are fewer rows.
    pub(crate) fn kernel_table(
        &mut self,
        n_rows: usize,
        columns: &mut Vec<*const f64>,
        outs: &mut Vec<*mut f64>,
    ) -> KernelTable {
        assert!(n_rows <= self.n_left, "these rows are left");
        columns.clear();
        columns.extend(self.columns.iter().map(|column| column.as_ptr()));
        outs.clear();
        outs.extend(self.outs.iter_mut().map(|out| out.as_mut_ptr()));
        let states = self.states.as_mut_ptr();
        KernelTable { columns: columns.as_ptr(), outs: outs.as_ptr(), states, n_rows, n_done: 0 }
    }

    /// Takes all rows of a map, in pieces of at most this many.
    #[cfg(feature = "rayon")]
    pub(crate) fn take_pieces(&mut self, n_rows: usize) -> Vec<Self> {
        let mut pieces = Vec::with_capacity(self.n_left.div_ceil(n_rows));
        while self.n_left > 0 {
            let n_rows = n_rows.min(self.n_left);
            let columns =
                self.columns.iter().enumerate().map(|(nth, &column)| {
                    if self.scalars.contains(nth) { column } else { &column[..n_rows] }
                });
            let columns = columns.collect();
            let outs = self.outs.iter_mut().map(|out| {
                let (piece, rest) = take(out).split_at_mut(n_rows);
                *out = rest;
                piece
            });
            let columns = Columns { slices: columns, scalars: self.scalars };
            pieces.push(Self::new(columns, outs.collect(), Vec::new(), n_rows));
            self.drop_first_of_columns(n_rows);
            self.n_left -= n_rows;
        }
        pieces
    }
}
