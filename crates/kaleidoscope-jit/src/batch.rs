//! Batches: functions applied to the rows of columns, many calls in one.
//!
//! A *map* writes the results of each row. In a *scan* or *fold*, each row also gets the results of
//! the row before, so rows are computed in order. Columns of a map may be *scalars*, which have one
//! value for all rows: kernels and column programs are made for them.
//!
//! There are three ways to compute rows, and a batch uses the fastest that exists:
//!
//! 1. The function's kernel (`kernel.rs`), once it is compiled.
//! 2. The column interpreter (`column_tier.rs`), if the function qualifies and this is a map.
//! 3. Single calls in one guarded scope. In [`Mode::Off`] the interpreter makes them.
//!
//! The bits are the same in all ways, except with [`Precision::Fast`]. Large maps are spread over
//! threads.

mod column;
mod methods;
mod rows;
#[cfg(feature = "rayon")]
mod spread;

pub use column::Column;
pub use methods::RowTrap;
pub(crate) use rows::Rows;

use crate::code::{Callable, KernelCode};
use crate::column_state::BatchProgram;
use crate::column_tier::BatchEnvironment;
use crate::core::{Core, CoreScope};
use crate::event::{CodeName, Event, MappedRows};
use crate::group::Group;
#[cfg(feature = "rayon")]
use crate::interrupt::is_in_evaluation;
use crate::interrupt::{CallLimits, Watch};
use crate::kernel_state::{KernelKey, KernelState};
use crate::mode::Mode;
use crate::policy;
use crate::precision::Precision;
use crate::trap::Trap;
use kaleidoscope_ir::FunctionId;
use kaleidoscope_ir::column::ColumnScratch;
use kaleidoscope_ir::compile::KernelForm;
use std::slice;
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

/// What a batch applies to rows.
#[derive(Clone, Copy)]
pub(crate) struct Applied<'a> {
    /// The function with all results.
    pub(crate) function: FunctionId,
    pub(crate) arity: u32,
    /// For each result, the function that computes it alone.
    pub(crate) members: &'a [Callable],
}

impl<'a> From<&'a Callable> for Applied<'a> {
    fn from(function: &'a Callable) -> Self {
        Self { function: function.function(), arity: function.arity(), members: slice::from_ref(function) }
    }
}

impl<'a> From<&'a Group> for Applied<'a> {
    fn from(group: &'a Group) -> Self {
        Self { function: group.function, arity: group.arity, members: &group.members }
    }
}

impl Core {
    /// Applies functions to rows, in this form. On a trap, the rows say how many are done, except
    /// for a map.
    pub(crate) fn apply_to_rows(
        &self,
        applied: Applied<'_>,
        form: KernelForm,
        options: MapOptions,
        rows: &mut Rows<'_>,
        limits: CallLimits,
    ) -> Result<(), Trap> {
        applied.members.iter().for_each(|&member| self.check_engine(member));
        self.admit()?;
        let watch = Watch::begin(&self.interrupter, limits);
        let (function, scalars) = (applied.function, rows.scalars());
        let key = KernelKey { function, precision: options.precision, form, scalars };
        let start = (!self.settings.observers.is_empty()).then(Instant::now);
        let counters = RowCounters::default();
        let exceeds_caches = rows.n_bytes() >= policy::MIN_BYTES_TO_PREFETCH;
        let members = applied.members;
        let batch = Batch { core: self, members, key, exceeds_caches, watch: &watch, counters: &counters };
        let prepared = watch.around(|| batch.prepare(rows.n_left()));
        let result = prepared.and_then(|()| batch.run(options.threads, rows));
        let emitted = self.emit(|| {
            let (name, version) = {
                let table = self.table();
                let entry = table.entry(key.function);
                (entry.name(), entry.version())
            };
            let took = start.map(|start| start.elapsed()).unwrap_or_default();
            Event::Mapped { code: CodeName { name, version }, rows: counters.totals(), took }
        });
        result.and(emitted)
    }

    /// The fastest way to compute rows.
    fn fastest_way(&self, key: KernelKey, n_rows: usize) -> Way {
        let table = self.table();
        if let Some(kernel) = table.kernels.get(&key).and_then(KernelState::kernel) {
            return Way::Kernel(kernel);
        }
        if key.form != KernelForm::Map {
            // By columns, rows are computed at once, and here each needs the one before.
            return Way::Calls;
        }
        let program = table.column_program(key.columns()).filter(|program| n_rows >= program.min_rows);
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

/// One application of functions to rows.
#[derive(Clone, Copy)]
struct Batch<'a> {
    core: &'a Core,
    members: &'a [Callable],
    key: KernelKey,
    exceeds_caches: bool,
    watch: &'a Watch<'a>,
    counters: &'a RowCounters,
}

impl Batch<'_> {
    /// Gets the function lowered or compiled, if this many more rows justify it.
    fn prepare(self, n_rows: usize) -> Result<(), Trap> {
        if self.key.form == KernelForm::Map {
            self.core.prepare_columns(self.key.columns(), n_rows);
        }
        self.core.prepare_kernel(self.key, n_rows, self.watch)
    }

    fn run(self, threads: Threads, rows: &mut Rows<'_>) -> Result<(), Trap> {
        if self.core.settings.mode == Mode::Off {
            return self.run_rows(RowScope::Interpreter, rows);
        }
        match threads {
            #[cfg(feature = "rayon")]
            Threads::Pool if self.is_spreadable(rows.n_left()) => spread::run(self, rows),
            _ => self.enter(|scope| self.run_rows(RowScope::Code(scope), rows)),
        }
    }

    /// Whether this many rows are worth several threads, and are independent. Inside another
    /// evaluation they are not spread: what stops that one must reach them, and rows of other
    /// batches must not come between the two.
    #[cfg(feature = "rayon")]
    fn is_spreadable(self, n_rows: usize) -> bool {
        n_rows >= policy::MIN_ROWS_FOR_THREADS
            && self.key.form == KernelForm::Map
            && !self.core.is_in_child()
            && !is_in_evaluation()
            && !self.core.table().may_assign(self.key.function)
            && spread::has_threads()
    }

    /// Runs the body in a guarded scope.
    fn enter(self, body: impl FnOnce(&CoreScope<'_>) -> Result<(), Trap>) -> Result<(), Trap> {
        self.core.keep_signals()?;
        self.core.enter(self.watch, body).flatten()
    }

    /// Computes all rows, each in the way that is the fastest then. That changes when a kernel is
    /// compiled, and when a redefinition has invalidated the kernel or the column program.
    fn run_rows(self, scope: RowScope<'_>, rows: &mut Rows<'_>) -> Result<(), Trap> {
        while rows.n_left() > 0 {
            let way = self.core.fastest_way(self.key, rows.n_left());
            let is_changeable = !matches!(way, Way::Calls);
            self.run_some_rows(scope, way, rows)?;
            if is_changeable && rows.n_left() > 0 {
                self.prepare(rows.n_left())?;
            }
        }
        Ok(())
    }

    /// Computes all rows that are left, or those before another way may be faster.
    fn run_some_rows(self, scope: RowScope<'_>, way: Way, rows: &mut Rows<'_>) -> Result<(), Trap> {
        let (core, function, n_before) = (self.core, self.key.function, rows.n_done());
        match (way, scope) {
            (Way::Kernel(kernel), RowScope::Code(scope)) => {
                core.note_batch_call(function, kernel.version())?;
                scope.run_kernel(&kernel, rows)?;
                self.counters.by_kernel.fetch_add(rows.n_done() - n_before, Ordering::Relaxed);
            }
            (Way::Columns { program, n_changes }, scope) => {
                let n_rows = program.rows_per_check.min(rows.n_left());
                let Ok(mut scratch) = ColumnScratch::new(&program.program, n_rows) else {
                    // There is no memory. Single calls need less.
                    return self.run_some_rows(scope, Way::Calls, rows);
                };
                self.watch.around(|| core.note_batch_call(function, program.version))?;
                self.run_columns(scope, (&program, n_changes), &mut scratch, rows)?;
            }
            (Way::Calls | Way::Kernel(_), scope) => {
                let n_rows = rows.n_left().min(policy::ROWS_PER_KERNEL_CHECK);
                self.call_rows(scope, n_rows, rows)?;
            }
        }
        Ok(())
    }

    /// Computes the next rows by single calls.
    fn call_rows(self, scope: RowScope<'_>, n_rows: usize, rows: &mut Rows<'_>) -> Result<(), Trap> {
        rows.by_calls(n_rows, self.members.len(), |nth, args| match scope {
            RowScope::Code(scope) => scope.call(self.members[nth], args),
            RowScope::Interpreter => self.interpret(self.members[nth], args),
        })?;
        self.counters.by_calls.fetch_add(n_rows, Ordering::Relaxed);
        Ok(())
    }

    /// Computes rows by the column interpreter, until the program has changed more often than
    /// `n_changes`.
    fn run_columns(
        self,
        scope: RowScope<'_>,
        (program, n_changes): (&BatchProgram, u32),
        scratch: &mut ColumnScratch,
        rows: &mut Rows<'_>,
    ) -> Result<(), Trap> {
        let env = BatchEnvironment { program, exceeds_caches: self.exceeds_caches };
        while rows.n_left() > 0 && program.n_changes() == n_changes {
            let n_rows = program.rows_per_check.min(rows.n_left());
            let (columns, outs) = (&rows.columns, &mut rows.outs);
            let run = || program.program.run(&env, columns, outs, n_rows, scratch);
            if !scope.run_unguarded(self.watch, run)? {
                // An index of an array is wrong. Single calls find the first one.
                self.call_rows(scope, n_rows, rows)?;
                continue;
            }
            rows.advance(n_rows);
            self.counters.by_columns.fetch_add(n_rows, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Computes a result of a row in the interpreter.
    fn interpret(self, member: Callable, args: &[f64]) -> Result<f64, Trap> {
        match self.watch.check_often() {
            None => self.core.interpret(member.function(), args, self.watch),
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
    fn run_unguarded<R>(self, watch: &Watch<'_>, body: impl FnOnce() -> R) -> Result<R, Trap> {
        match self {
            Self::Code(scope) => scope.run_unguarded(body),
            Self::Interpreter => {
                if let Some(cause) = watch.check() {
                    return Err(cause.into_trap(Vec::new()));
                }
                Ok(body())
            }
        }
    }
}
