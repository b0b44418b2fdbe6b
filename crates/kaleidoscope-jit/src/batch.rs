//! Batches: a function applied to columns, many calls in one.
//!
//! A batch runs the function's kernel (`kernel.rs`) if it exists. Until then, and where none can
//! be compiled, it makes single calls in one guarded scope, or interprets the rows. The bits are
//! the same either way, except with [`Precision::Fast`]. Large batches are spread over threads.

#[cfg(feature = "rayon")]
mod spread;

use crate::code::Callable;
use crate::core::{Core, CoreScope};
#[cfg(feature = "rayon")]
use crate::interrupt::is_in_evaluation;
use crate::interrupt::{CallLimits, Watch};
use crate::kernel_state::KernelKey;
use crate::mode::Mode;
use crate::policy;
use crate::precision::Precision;
use crate::trap::Trap;

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
        watch.around(|| self.prepare_kernel(key, out.len(), &watch))?;
        Batch { core: self, function, key, watch: &watch }.run(options.threads, columns, out)
    }
}

/// One application of a function to columns.
#[derive(Clone, Copy)]
struct Batch<'a> {
    core: &'a Core,
    function: Callable,
    key: KernelKey,
    watch: &'a Watch<'a>,
}

impl Batch<'_> {
    fn run(self, threads: Threads, columns: &[&[f64]], out: &mut [f64]) -> Result<(), Trap> {
        let watch = self.watch;
        if self.core.settings.mode == Mode::Off {
            return by_calls(columns, 0, out, |args| match watch.check_often() {
                None => self.core.interpret(self.function.function(), args, watch),
                Some(cause) => Err(cause.into_trap(Vec::new())),
            });
        }
        match threads {
            #[cfg(feature = "rayon")]
            Threads::Pool if self.is_spreadable(out.len()) => spread::run(self, columns, out),
            _ => self.enter(|scope| self.run_inside(scope, columns, out)),
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

    /// Computes rows by the kernel, and by single calls while there is none: until it is compiled,
    /// and when a redefinition has invalidated it.
    fn run_inside(self, scope: &CoreScope<'_>, columns: &[&[f64]], out: &mut [f64]) -> Result<(), Trap> {
        let mut done = 0;
        while done < out.len() {
            if let Some(kernel) = self.core.kernel(self.key) {
                self.core.note_kernel_call(self.key.function, kernel.version())?;
                let rest: Vec<&[f64]> = columns.iter().map(|column| &column[done..]).collect();
                done += scope.run_kernel(&kernel, &rest, &mut out[done..])?;
                if done < out.len() {
                    // A redefinition has invalidated it.
                    self.core.prepare_kernel(self.key, out.len() - done, self.watch)?;
                }
                continue;
            }
            let end = out.len().min(done + policy::ROWS_PER_KERNEL_CHECK);
            by_calls(columns, done, &mut out[done..end], |args| scope.call(self.function, args))?;
            done = end;
        }
        Ok(())
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
