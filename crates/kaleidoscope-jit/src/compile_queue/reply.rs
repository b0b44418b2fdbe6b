//! Reply: the result of a job, on the way from its compile thread to the call that waits for it.
//!
//! The wait ends early if the call is to stop. Then the job gets its result back: exactly one of
//! the two sides has it.

use crate::interrupt::{STOP_CHECK_INTERVAL, StopCause};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How the wait for a job ended.
#[derive(Debug)]
pub(crate) enum Waited<T> {
    /// With its result.
    Done(T),
    /// Early: the evaluation is to stop. A job that runs goes on.
    Abandoned(StopCause),
}

/// Where a job puts its result.
#[derive(Debug)]
pub(super) struct Reply<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
enum State<T> {
    /// The job waits or runs.
    Pending,
    /// The job has ended; without a result if it was dropped.
    Ended(Option<T>),
    /// No thread waits any more.
    Abandoned,
}

/// The job's side. If it is dropped, the wait ends.
#[derive(Debug)]
pub(super) struct ReplySender<T>(pub(super) Arc<Reply<T>>);

impl<T> Reply<T> {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State::Pending), changed: Condvar::new() }
    }

    /// Waits for the result: none if the job was dropped.
    pub(super) fn wait(&self, stop: impl Fn() -> Option<StopCause>) -> Waited<Option<T>> {
        let mut state = self.lock();
        loop {
            if let State::Ended(result) = &mut *state {
                return Waited::Done(result.take());
            }
            if let Some(cause) = stop() {
                *state = State::Abandoned;
                return Waited::Abandoned(cause);
            }
            let waited = self.changed.wait_timeout(state, STOP_CHECK_INTERVAL);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing under the lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> ReplySender<T> {
    /// Whether no thread waits any more.
    pub(super) fn is_abandoned(&self) -> bool {
        matches!(*self.0.lock(), State::Abandoned)
    }

    /// Sends the result. Returns it if no thread waits any more.
    pub(super) fn send(self, result: T) -> Result<(), T> {
        let mut state = self.0.lock();
        if matches!(*state, State::Abandoned) {
            return Err(result);
        }
        *state = State::Ended(Some(result));
        Ok(())
    }
}

impl<T> Drop for ReplySender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if matches!(*state, State::Pending) {
            *state = State::Ended(None);
        }
        drop(state);
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests;
