//! Batches: a function applied to columns, many calls in one.
//!
//! There are three ways to compute rows, and a batch uses the fastest that exists:
//!
//! 1. The function's kernel (`kernel.rs`), once it is compiled.
//! 2. The column interpreter (`column_tier.rs`), if the function qualifies.
//! 3. Single calls in one guarded scope. In [`Mode::Off`] the interpreter makes them.
//!
//! The bits are the same in all ways, except with [`Precision::Fast`]. Large batches are spread
//! over threads.

#[cfg(feature = "rayon")]
mod spread;

use crate::code::{Callable, KernelCode};
use crate::column_state::BatchProgram;
use crate::column_tier::BatchEnvironment;
use crate::core::{Core, CoreScope};
use crate::event::{CodeName, Event, MappedRows};
#[cfg(feature = "rayon")]
use crate::interrupt::is_in_evaluation;
use crate::interrupt::{CallLimits, Watch};
use crate::kernel_state::{KernelKey, KernelState};
use crate::mode::Mode;
use crate::policy;
use crate::precision::Precision;
use crate::trap::Trap;
use kaleidoscope_ir::column::ColumnScratch;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How a batch runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapOptions {
    precision: Precision,
    threads: Threads,
}

/// The threads that compute rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Threads {
    /// Those of rayon's pool, if there are enough rows and the feature is on.
    #[default]
    Pool,
    /// The calling thread.
    Caller,
}

impl MapOptions {
    /// Exact, on all threads of the pool.
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

    /// Computes all rows on the calling thread, in order. If not set, large batches are spread over
    /// threads by the feature `rayon`, which is on by default.
    #[must_use]
    pub fn on_this_thread(mut self) -> Self {
        self.threads = Threads::Caller;
        self
    }
}

impl From<Precision> for MapOptions {
    fn from(precision: Precision) -> Self {
        Self::new().precision(precision)
    }
}

impl Core {
    /// Applies the function to each row of the columns.
    pub(crate) fn map(
        &self,
        function: Callable,
        options: MapOptions,
        columns: &[&[f64]],
        out: &mut [f64],
        limits: CallLimits,
    ) -> Result<(), Trap> {
        if columns.len() != function.arity() as usize {
            let (given, takes) = (columns.len(), function.arity());
            return Err(Trap::ArgumentCount { function: function.function(), given, takes });
        }
        if let Some(column) = columns.iter().position(|column| column.len() != out.len()) {
            let (given, takes) = (columns[column].len(), out.len());
            return Err(Trap::ColumnLength { column, given, takes });
        }
        self.check_engine(function);
        self.admit()?;
        let watch = Watch::begin(&self.interrupter, limits);
        let key = KernelKey { function: function.function(), precision: options.precision };
        let start = (!self.settings.observers.is_empty()).then(Instant::now);
        let rows = RowCounters::default();
        let n_bytes = (columns.len() + 1).saturating_mul(size_of_val(out));
        let exceeds_caches = n_bytes >= policy::MIN_BYTES_TO_PREFETCH;
        let batch = Batch { core: self, function, key, exceeds_caches, watch: &watch, rows: &rows };
        let prepared = watch.around(|| batch.prepare(out.len()));
        let result = prepared.and_then(|()| batch.run(options.threads, columns, out));
        let emitted = self.emit(|| {
            let (name, version) = {
                let table = self.table();
                let entry = table.entry(key.function);
                (entry.name(), entry.version())
            };
            let took = start.map(|start| start.elapsed()).unwrap_or_default();
            Event::Mapped { code: CodeName { name, version }, rows: rows.totals(), took }
        });
        result.and(emitted)
    }

    /// The fastest way to compute rows.
    fn fastest_way(&self, key: KernelKey, n_rows: usize) -> Way {
        let table = self.table();
        if let Some(kernel) = table.kernels.get(&key).and_then(KernelState::kernel) {
            return Way::Kernel(kernel);
        }
        let program = table.column_program(key.function).filter(|program| n_rows >= program.min_rows);
        program.map_or(Way::Calls, |program| Way::Columns {
            program: Arc::clone(program),
            n_changes: program.n_changes(),
        })
    }
}

/// A way to compute rows.
enum Way {
    /// By a kernel, which was looked up inside the engine and is used before that scope is left.
    Kernel(KernelCode),
    /// By the column interpreter, until the program has changed more often than this.
    Columns {
        program: Arc<BatchProgram>,
        n_changes: u32,
    },
    Calls,
}

/// How many rows were computed in each way. Threads share it.
#[derive(Debug, Default)]
struct RowCounters {
    by_kernel: AtomicUsize,
    by_columns: AtomicUsize,
    by_calls: AtomicUsize,
}

impl RowCounters {
    fn totals(&self) -> MappedRows {
        MappedRows {
            by_kernel: self.by_kernel.load(Ordering::Relaxed),
            by_columns: self.by_columns.load(Ordering::Relaxed),
            by_calls: self.by_calls.load(Ordering::Relaxed),
        }
    }
}

/// One application of a function to columns.
#[derive(Clone, Copy)]
struct Batch<'a> {
    core: &'a Core,
    function: Callable,
    key: KernelKey,
    exceeds_caches: bool,
    watch: &'a Watch<'a>,
    rows: &'a RowCounters,
}

impl Batch<'_> {
    /// Gets the function lowered or compiled, if this many more rows justify it.
    fn prepare(self, n_rows: usize) -> Result<(), Trap> {
        self.core.prepare_columns(self.key.function, n_rows);
        self.core.prepare_kernel(self.key, n_rows, self.watch)
    }

    fn run(self, threads: Threads, columns: &[&[f64]], out: &mut [f64]) -> Result<(), Trap> {
        if self.core.settings.mode == Mode::Off {
            return self.run_rows(RowScope::Interpreter, columns, out);
        }
        match threads {
            #[cfg(feature = "rayon")]
            Threads::Pool if self.is_spreadable(out.len()) => spread::run(self, columns, out),
            _ => self.enter(|scope| self.run_rows(RowScope::Code(scope), columns, out)),
        }
    }

    /// Whether this many rows are worth several threads, and are independent. Inside another
    /// evaluation they are not spread: what stops that one must reach them, and rows of other
    /// batches must not come between the two.
    #[cfg(feature = "rayon")]
    fn is_spreadable(self, n_rows: usize) -> bool {
        n_rows >= policy::MIN_ROWS_FOR_THREADS
            && !self.core.is_in_child()
            && !is_in_evaluation()
            && !self.core.table().may_assign(self.function.function())
            && spread::has_threads()
    }

    /// Runs the body in a guarded scope.
    fn enter(self, body: impl FnOnce(&CoreScope<'_>) -> Result<(), Trap>) -> Result<(), Trap> {
        self.core.keep_signals()?;
        self.core.enter(self.watch, body).flatten()
    }

    /// Computes all rows, each in the way that is the fastest then. That changes when a kernel is
    /// compiled, and when a redefinition has invalidated the kernel or the column program.
    fn run_rows(self, scope: RowScope<'_>, columns: &[&[f64]], out: &mut [f64]) -> Result<(), Trap> {
        let mut done = 0;
        while done < out.len() {
            let n_left = out.len() - done;
            let way = self.core.fastest_way(self.key, n_left);
            let is_changeable = !matches!(way, Way::Calls);
            done += self.run_some_rows(scope, way, done, columns, out)?;
            if is_changeable && done < out.len() {
                self.prepare(out.len() - done)?;
            }
        }
        Ok(())
    }

    /// Computes rows from the row `first` on. Returns how many are done: all of them, or those
    /// before another way may be faster.
    fn run_some_rows(
        self,
        scope: RowScope<'_>,
        way: Way,
        first: usize,
        columns: &[&[f64]],
        out: &mut [f64],
    ) -> Result<usize, Trap> {
        let rest = || columns.iter().map(|column| &column[first..]).collect::<Vec<_>>();
        let (core, function) = (self.core, self.key.function);
        match (way, scope) {
            (Way::Kernel(kernel), RowScope::Code(scope)) => {
                core.note_batch_call(function, kernel.version())?;
                let n_done = scope.run_kernel(&kernel, &rest(), &mut out[first..])?;
                self.rows.by_kernel.fetch_add(n_done, Ordering::Relaxed);
                Ok(n_done)
            }
            (Way::Columns { program, n_changes }, scope) => {
                let n_rows = program.rows_per_check.min(out.len() - first);
                let Ok(mut scratch) = ColumnScratch::new(&program.program, n_rows) else {
                    // There is no memory. Single calls need less.
                    return self.run_some_rows(scope, Way::Calls, first, columns, out);
                };
                self.watch.around(|| core.note_batch_call(function, program.version))?;
                self.run_columns(scope, (&program, n_changes), &mut scratch, &rest(), &mut out[first..])
            }
            (Way::Calls | Way::Kernel(_), scope) => {
                let end = out.len().min(first + policy::ROWS_PER_KERNEL_CHECK);
                by_calls(columns, first, &mut out[first..end], |args| match scope {
                    RowScope::Code(scope) => scope.call(self.function, args),
                    RowScope::Interpreter => self.interpret(args),
                })?;
                self.rows.by_calls.fetch_add(end - first, Ordering::Relaxed);
                Ok(end - first)
            }
        }
    }

    /// Computes rows by the column interpreter, until the program has changed more often than
    /// `n_changes`. Returns how many are done.
    fn run_columns(
        self,
        scope: RowScope<'_>,
        (program, n_changes): (&BatchProgram, u32),
        scratch: &mut ColumnScratch,
        columns: &[&[f64]],
        out: &mut [f64],
    ) -> Result<usize, Trap> {
        let env = BatchEnvironment { program, exceeds_caches: self.exceeds_caches };
        let mut n_done = 0;
        let mut rest = columns.to_vec();
        while n_done < out.len() && program.n_changes() == n_changes {
            let out = &mut out[n_done..];
            let n_rows = program.rows_per_check.min(out.len());
            scope.run_unguarded(self.watch, || program.program.run(&env, &rest, out, n_rows, scratch))?;
            rest.iter_mut().for_each(|column| *column = &column[n_rows..]);
            n_done += n_rows;
            self.rows.by_columns.fetch_add(n_rows, Ordering::Relaxed);
        }
        Ok(n_done)
    }

    /// Computes a row in the interpreter.
    fn interpret(self, args: &[f64]) -> Result<f64, Trap> {
        match self.watch.check_often() {
            None => self.core.interpret(self.function.function(), args, self.watch),
            Some(cause) => Err(cause.into_trap(Vec::new())),
        }
    }
}

/// Where rows are computed.
#[derive(Clone, Copy)]
enum RowScope<'a> {
    /// Inside a guarded scope.
    Code(&'a CoreScope<'a>),
    /// In [`Mode::Off`], which enters no generated code.
    Interpreter,
}

impl RowScope<'_> {
    /// Runs what needs no generated code, unless the evaluation is to stop.
    fn run_unguarded(self, watch: &Watch<'_>, body: impl FnOnce()) -> Result<(), Trap> {
        match self {
            Self::Code(scope) => scope.run_unguarded(body),
            Self::Interpreter => {
                if let Some(cause) = watch.check() {
                    return Err(cause.into_trap(Vec::new()));
                }
                body();
                Ok(())
            }
        }
    }
}

/// Computes rows one by one, from the row `first` on.
fn by_calls(
    columns: &[&[f64]],
    first: usize,
    out: &mut [f64],
    mut call: impl FnMut(&[f64]) -> Result<f64, Trap>,
) -> Result<(), Trap> {
    let mut args = vec![0.0; columns.len()];
    for (nth, out) in out.iter_mut().enumerate() {
        for (arg, column) in args.iter_mut().zip(columns) {
            *arg = column[first + nth];
        }
        *out = call(&args)?;
    }
    Ok(())
}
