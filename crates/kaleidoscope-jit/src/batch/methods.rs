//! The methods of [`Jit`] for batches and groups: what they check before rows are computed.

use super::column::{Columns, fill};
use super::{Applied, Column, MapOptions, Rows};
use crate::code::Callable;
use crate::group::Group;
use crate::interrupt::CallLimits;
use crate::jit::{CallScope, Jit};
use crate::trap::Trap;
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::compile::KernelForm;
use kaleidoscope_native::in_engine_mode;
use std::error::Error;
use std::fmt;

#[cfg(doc)]
use crate::Mode;

/// Why a scan or fold ended early, and where.
#[derive(Debug)]
pub struct RowTrap {
    /// The row that was not completed. All rows before it are done, and none behind it. `None` if
    /// no row was begun because the arguments do not fit.
    pub row: Option<usize>,
    /// Why.
    pub trap: Trap,
}

impl From<Trap> for RowTrap {
    fn from(trap: Trap) -> Self {
        Self { row: None, trap }
    }
}

impl fmt::Display for RowTrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Some(row) => write!(f, "row {row}: {}", self.trap),
            None => self.trap.fmt(f),
        }
    }
}

impl Error for RowTrap {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.trap.source()
    }
}

impl Jit {
    /// Functions to be applied together: to the same arguments, with one result each.
    ///
    /// `function` has all of these results: it is defined by the IR that
    /// [`of_calls`](crate::ir::Function::of_calls) gives for the members. Batches compile it, so
    /// what the members have in common is computed once. It cannot be called.
    ///
    /// ```
    /// use kaleidoscope_jit::ir::{Function, FunctionBuilder};
    /// use kaleidoscope_jit::{CallLimits, Jit, MapOptions};
    /// use std::sync::Arc;
    ///
    /// let jit = Jit::new()?;
    /// let (square, negative, both) = (jit.declare(1)?, jit.declare(1)?, jit.declare(1)?);
    /// jit.define(square, Arc::new("function square(x.0)\nget x.0\nsquare".parse()?))?;
    /// jit.define(negative, Arc::new("function negative(x.0)\nnumber 0\nget x.0\nsubtract".parse()?))?;
    /// let members = [square, negative];
    /// jit.define(both, Arc::new(Function::of_calls("both", ["x".into()], &members)))?;
    /// let group = jit.group(both, &members);
    /// let (mut squares, mut negatives) = ([0.0; 2], [0.0; 2]);
    /// let outs: &mut [&mut [f64]] = &mut [&mut squares, &mut negatives];
    /// jit.map_group(&group, MapOptions::new(), &[&[1.0, 3.0]], outs, CallLimits::new())?;
    /// assert_eq!((squares, negatives), ([1.0, 9.0], [-1.0, -3.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If an id is unknown, there are no members, one of them has another number of parameters than
    /// the function, or the function is not defined by IR with as many results.
    pub fn group(&self, function: FunctionId, members: &[FunctionId]) -> Group {
        let n_results = self.ir(function).map_or(0, |ir| ir.n_results as usize);
        assert!(n_results == members.len() && n_results > 0, "a group's function has its results");
        let arity = self.callable(function).arity();
        let members: Vec<_> = members.iter().map(|&member| self.callable(member)).collect();
        assert!(members.iter().all(|member| member.arity() == arity), "members have the same parameters");
        Group { function, arity, members: members.into() }
    }

    /// Calls each member of a group with the arguments, in order, and writes the results.
    ///
    /// # Errors
    /// As [`call`](Self::call). [`Trap::ResultCount`] if `results` are not as many as the members.
    /// After an error, some results may have been written.
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub fn call_group(
        &self,
        group: &Group,
        args: &[f64],
        results: &mut [f64],
        limits: CallLimits,
    ) -> Result<(), Trap> {
        group.check_results(results.len())?;
        self.call_all(&group.members, args, results, limits)
    }

    /// Applies a function to each row of the columns, one column for each parameter, and writes the
    /// results to `out`.
    ///
    /// A function that has no loop, assigns no host variable, and calls only maths functions runs
    /// by columns ([`kaleidoscope_ir::column`]). Other functions, and few rows, run by single
    /// calls.
    ///
    /// With an optimizing tier, many rows run in a kernel: a compiled loop with the function
    /// inside, vectorized where the function has no loop and calls only maths functions. It is
    /// compiled in the background: in [`Mode::Lazy`] and [`Mode::Eager`] after a thousand rows, in
    /// [`Mode::Tiered`] when as many rows were requested as make a function hot by calls. In lazy
    /// and eager mode, a function that does not run by columns waits for the kernel.
    ///
    /// # Errors
    /// As [`call`](Self::call), and [`Trap::ArgumentCount`] or [`Trap::ColumnLength`] for columns
    /// that do not fit. After an error, the results of some rows are written.
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub fn map(
        &self,
        function: Callable,
        options: MapOptions,
        columns: &[&[f64]],
        out: &mut [f64],
        limits: CallLimits,
    ) -> Result<(), Trap> {
        self.map_applied((&function).into(), options, Columns::of_rows(columns), vec![out], limits)
    }

    /// As [`map`](Self::map), for columns that may be scalars: one value for all rows.
    ///
    /// # Errors
    /// As [`map`](Self::map).
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub fn map_columns(
        &self,
        function: Callable,
        options: MapOptions,
        columns: &[Column<'_>],
        out: &mut [f64],
        limits: CallLimits,
    ) -> Result<(), Trap> {
        let filled = fill(columns, out.len());
        self.map_applied((&function).into(), options, Columns::new(columns, &filled), vec![out], limits)
    }

    /// As [`map`](Self::map), for a group: writes the results of each member to one of `outs`.
    ///
    /// # Errors
    /// As [`map`](Self::map). [`Trap::ResultCount`] if `outs` are not as many as the members,
    /// [`Trap::ResultLength`] if they are not equally long.
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub fn map_group(
        &self,
        group: &Group,
        options: MapOptions,
        columns: &[&[f64]],
        outs: &mut [&mut [f64]],
        limits: CallLimits,
    ) -> Result<(), Trap> {
        group.check_results(outs.len())?;
        let outs = outs.iter_mut().map(|out| &mut **out).collect();
        self.map_applied(group.into(), options, Columns::of_rows(columns), outs, limits)
    }

    /// As [`map_group`](Self::map_group), for columns that may be scalars: one value for all rows.
    ///
    /// # Errors
    /// As [`map_group`](Self::map_group).
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub fn map_group_columns(
        &self,
        group: &Group,
        options: MapOptions,
        columns: &[Column<'_>],
        outs: &mut [&mut [f64]],
        limits: CallLimits,
    ) -> Result<(), Trap> {
        group.check_results(outs.len())?;
        let filled = fill(columns, outs.first().map_or(0, |out| out.len()));
        let outs = outs.iter_mut().map(|out| &mut **out).collect();
        self.map_applied(group.into(), options, Columns::new(columns, &filled), outs, limits)
    }

    fn map_applied(
        &self,
        applied: Applied<'_>,
        options: MapOptions,
        columns: Columns<'_>,
        outs: Vec<&mut [f64]>,
        limits: CallLimits,
    ) -> Result<(), Trap> {
        let n_rows = n_rows_of(&outs)?;
        applied.check_columns(&columns, 0, n_rows)?;
        let mut rows = Rows::new(columns, outs, Vec::new(), n_rows);
        let apply = || self.core.apply_to_rows(applied, KernelForm::Map, options, &mut rows, limits);
        in_engine_mode(apply)
    }

    /// Applies a function to each row, in order. Its first argument is the result of the row
    /// before, and `init` in the first row; there is a column for each other parameter. Writes the
    /// results to `out`.
    ///
    /// Scans run by kernels and single calls as maps do, on the calling thread.
    ///
    /// # Errors
    /// As [`map`](Self::map), with the row.
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub fn scan(
        &self,
        function: Callable,
        init: f64,
        columns: &[&[f64]],
        out: &mut [f64],
        limits: CallLimits,
    ) -> Result<(), RowTrap> {
        self.scan_applied((&function).into(), &[init], columns, vec![out], limits)
    }

    /// As [`scan`](Self::scan), for a group: the result of each member is the argument of the next
    /// row that has the member's number.
    ///
    /// # Errors
    /// As [`map_group`](Self::map_group), with the row. [`Trap::ResultCount`] if `init` has not as
    /// many values as there are members.
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub fn scan_group(
        &self,
        group: &Group,
        init: &[f64],
        columns: &[&[f64]],
        outs: &mut [&mut [f64]],
        limits: CallLimits,
    ) -> Result<(), RowTrap> {
        group.check_results(init.len())?;
        group.check_results(outs.len())?;
        let outs = outs.iter_mut().map(|out| &mut **out).collect();
        self.scan_applied(group.into(), init, columns, outs, limits)
    }

    fn scan_applied(
        &self,
        applied: Applied<'_>,
        init: &[f64],
        columns: &[&[f64]],
        outs: Vec<&mut [f64]>,
        limits: CallLimits,
    ) -> Result<(), RowTrap> {
        let n_rows = n_rows_of(&outs)?;
        let columns = Columns::of_rows(columns);
        applied.check_columns(&columns, init.len(), n_rows)?;
        let rows = Rows::new(columns, outs, init.to_vec(), n_rows);
        self.run_scan(applied, KernelForm::Scan, rows, limits).map(drop)
    }

    /// The result of the last row of a [`scan`](Self::scan); `init` if there are no rows, or no
    /// columns.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub fn fold(
        &self,
        function: Callable,
        init: f64,
        columns: &[&[f64]],
        limits: CallLimits,
    ) -> Result<f64, RowTrap> {
        let states = self.fold_applied((&function).into(), vec![init], columns, limits)?;
        Ok(states[0])
    }

    /// The results of the last row of a [`scan_group`](Self::scan_group).
    ///
    /// # Errors
    /// As [`scan_group`](Self::scan_group).
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub fn fold_group(
        &self,
        group: &Group,
        init: &[f64],
        columns: &[&[f64]],
        limits: CallLimits,
    ) -> Result<Vec<f64>, RowTrap> {
        group.check_results(init.len())?;
        self.fold_applied(group.into(), init.to_vec(), columns, limits)
    }

    fn fold_applied(
        &self,
        applied: Applied<'_>,
        init: Vec<f64>,
        columns: &[&[f64]],
        limits: CallLimits,
    ) -> Result<Vec<f64>, RowTrap> {
        let n_rows = columns.first().map_or(0, |column| column.len());
        let columns = Columns::of_rows(columns);
        applied.check_columns(&columns, init.len(), n_rows)?;
        let rows = Rows::new(columns, Vec::new(), init, n_rows);
        self.run_scan(applied, KernelForm::Fold, rows, limits)
    }

    /// Runs a scan or fold. Returns the states behind the last row.
    fn run_scan(
        &self,
        applied: Applied<'_>,
        form: KernelForm,
        mut rows: Rows<'_>,
        limits: CallLimits,
    ) -> Result<Vec<f64>, RowTrap> {
        let apply = || self.core.apply_to_rows(applied, form, MapOptions::new(), &mut rows, limits);
        match in_engine_mode(apply) {
            Ok(()) => Ok(rows.states),
            // An observer may panic behind the last row.
            Err(trap) => Err(RowTrap { row: (rows.n_left() > 0).then(|| rows.n_done()), trap }),
        }
    }
}

impl CallScope<'_> {
    /// Calls each member of a group with the arguments, in order, and writes the results.
    ///
    /// # Errors
    /// As [`Jit::call_group`].
    ///
    /// # Panics
    /// As [`Jit::call`].
    pub fn call_group(&self, group: &Group, args: &[f64], results: &mut [f64]) -> Result<(), Trap> {
        group.check_results(results.len())?;
        group.members.iter().zip(results).try_for_each(|(&member, result)| {
            *result = self.call(member, args)?;
            Ok(())
        })
    }
}

impl Group {
    fn check_results(&self, given: usize) -> Result<(), Trap> {
        let takes = self.members.len();
        if given == takes { Ok(()) } else { Err(Trap::ResultCount { given, takes }) }
    }
}

impl Applied<'_> {
    /// Checks the columns beside this number of states.
    fn check_columns(self, columns: &Columns<'_>, n_states: usize, n_rows: usize) -> Result<(), Trap> {
        let Columns { slices, scalars } = columns;
        let given = slices.len() + n_states;
        if given != self.arity as usize {
            return Err(Trap::ArgumentCount { function: self.function, given, takes: self.arity });
        }
        let has_other_length =
            |&(nth, column): &(usize, &&[f64])| !scalars.contains(nth) && column.len() != n_rows;
        match slices.iter().enumerate().find(has_other_length) {
            Some((column, rows)) => Err(Trap::ColumnLength { column, given: rows.len(), takes: n_rows }),
            None => Ok(()),
        }
    }
}

/// The number of rows for which there is room.
fn n_rows_of(outs: &[&mut [f64]]) -> Result<usize, Trap> {
    let n_rows = outs[0].len();
    match outs.iter().position(|out| out.len() != n_rows) {
        Some(result) => Err(Trap::ResultLength { result, given: outs[result].len(), takes: n_rows }),
        None => Ok(n_rows),
    }
}
