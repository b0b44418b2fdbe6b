//! Spreading: computes the rows of a batch on the threads of rayon's pool.
//!
//! Each task takes some thousand rows. The first task that traps ends the batch: running tasks are
//! interrupted, and no other starts.

use super::{Batch, RowScope, Rows};
use crate::policy::ROWS_PER_TASK;
use crate::trap::Trap;
use kaleidoscope_native::InterruptHandle;
use rayon::ThreadPoolBuilder;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::error::Error as _;
use std::panic::catch_unwind;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Whether a pool has several threads. Starts the pool of the process if there is none yet.
///
/// Rayon would panic where its threads cannot be started.
pub(super) fn has_threads() -> bool {
    static CAN_START: OnceLock<bool> = OnceLock::new();
    let can_start = || match ThreadPoolBuilder::new().build_global() {
        Ok(()) => true,
        // Only the failure of a system call has a source.
        Err(error) if error.source().is_some() => false,
        // The program has started the pool, or tried to and failed. Only a panic tells which, and
        // its message may be printed, once.
        Err(_) => catch_unwind(rayon::current_num_threads).is_ok(),
    };
    let is_in_pool = rayon::current_thread_index().is_some();
    (is_in_pool || *CAN_START.get_or_init(can_start)) && rayon::current_num_threads() > 1
}

/// The tasks of one batch.
#[derive(Default)]
struct Tasks(Mutex<Progress>);

#[derive(Default)]
struct Progress {
    running: Vec<InterruptHandle>,
    /// The trap of the task that failed first.
    trap: Option<Trap>,
}

/// A task trapped, and its trap is noted.
struct TaskFailed;

/// Computes the rows on all threads of the pool.
pub(super) fn run(batch: Batch<'_>, rows: &mut Rows<'_>) -> Result<(), Trap> {
    let tasks = Tasks::default();
    let pieces = rows.take_pieces(ROWS_PER_TASK);
    let done = pieces.into_par_iter().try_for_each(|mut rows| tasks.run(batch, &mut rows));
    match (done, tasks.progress().trap.take()) {
        (Err(TaskFailed), Some(trap)) => Err(trap),
        _ => Ok(()),
    }
}

impl Tasks {
    fn run(&self, batch: Batch<'_>, rows: &mut Rows<'_>) -> Result<(), TaskFailed> {
        let result = batch.enter(|scope| {
            let handle = scope.interrupt_handle();
            if !self.begin(handle) {
                return Ok(());
            }
            let result = batch.run_rows(RowScope::Code(scope), rows);
            self.end(handle);
            result
        });
        result.map_err(|trap| self.fail(trap))
    }

    /// Whether a task may begin.
    fn begin(&self, handle: InterruptHandle) -> bool {
        let mut progress = self.progress();
        progress.running.push(handle);
        progress.trap.is_none()
    }

    fn end(&self, handle: InterruptHandle) {
        self.progress().running.retain(|other| *other != handle);
    }

    /// Interrupts the other tasks, unless one of them failed first.
    fn fail(&self, trap: Trap) -> TaskFailed {
        let mut progress = self.progress();
        if progress.trap.is_none() {
            progress.trap = Some(trap);
            for other in &progress.running {
                other.interrupt();
            }
        }
        TaskFailed
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // Nothing that could panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
