//! Rows spread over the threads of rayon's pool, in parts of some thousands. The first part that fails ends the others: those under way
//! are stopped like any evaluation, and no other begins.

use super::Batch;
use crate::failure::Failure;
use crate::interrupt::Watch;
use crate::jit::InterruptHandle;
use crate::policy::ROWS_OF_A_PART;
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The parts of one map.
#[derive(Default)]
struct Parts(Mutex<Progress>);

#[derive(Default)]
struct Progress {
    under_way: Vec<InterruptHandle>,
    /// Of the part that failed first.
    failure: Option<Failure>,
}

/// Says that a part has failed, and that what it says of it is known.
struct Failed;

/// Computes the rows on as many threads as the pool has.
pub(super) fn run(
    batch: Batch<'_>,
    watch: &Watch<'_>,
    columns: &[&[f64]],
    out: &mut [f64],
) -> Result<(), Failure> {
    let parts = Parts::default();
    let done = out.par_chunks_mut(ROWS_OF_A_PART).enumerate().try_for_each(|(nth, out)| {
        let rows = nth * ROWS_OF_A_PART..nth * ROWS_OF_A_PART + out.len();
        let columns: Vec<&[f64]> = columns.iter().map(|column| &column[rows.clone()]).collect();
        parts.run(batch, watch, &columns, out)
    });
    match (done, parts.progress().failure.take()) {
        (Err(Failed), Some(failure)) => Err(failure),
        _ => Ok(()),
    }
}

impl Parts {
    fn run(
        &self,
        batch: Batch<'_>,
        watch: &Watch<'_>,
        columns: &[&[f64]],
        out: &mut [f64],
    ) -> Result<(), Failed> {
        let result = batch.enter(watch, |inside| {
            let handle = inside.interrupt_handle();
            if !self.begin(handle) {
                return Ok(());
            }
            let result = batch.run_inside(inside, columns, out);
            self.end(handle);
            result
        });
        result.map_err(|failure| self.fail(failure))
    }

    /// Whether a part may begin.
    fn begin(&self, handle: InterruptHandle) -> bool {
        let mut progress = self.progress();
        progress.under_way.push(handle);
        progress.failure.is_none()
    }

    fn end(&self, handle: InterruptHandle) {
        self.progress().under_way.retain(|other| *other != handle);
    }

    /// Stops the others, unless that is why this one failed.
    fn fail(&self, failure: Failure) -> Failed {
        let mut progress = self.progress();
        if progress.failure.is_none() {
            progress.failure = Some(failure);
            for other in &progress.under_way {
                other.interrupt();
            }
        }
        Failed
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // Nothing is called under the lock that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
