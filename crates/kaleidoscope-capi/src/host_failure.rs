//! Failures of host functions: a message, and data of the host, such as a C++ exception.
//!
//! For calls and batches, the engine passes the failure on as the source of its error. Diagnostics
//! of a program have no source, so a thread also keeps the failure of the host function that ended
//! last.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::host_data::HostData;

/// Why a host function failed.
#[derive(Clone, Debug)]
pub(crate) struct HostFailure {
    pub(crate) message: Arc<str>,
    pub(crate) data: Option<Arc<HostData>>,
}

impl fmt::Display for HostFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for HostFailure {}

thread_local! {
    /// Whether this thread runs a program: otherwise there is no [`Failures`].
    static WATCHES: Cell<bool> = const { Cell::new(false) };
    /// The data of the host function that ended last, if it failed with data.
    static LAST: Cell<Option<Arc<HostData>>> = const { Cell::new(None) };
}

/// Notes how a host function ended on this thread.
pub(crate) fn note(result: &Result<f64, HostFailure>) {
    if WATCHES.get() {
        drop(LAST.replace(result.as_ref().err().and_then(|failure| failure.data.clone())));
    }
}

/// The failures of host functions that a program calls on this thread. Those of the program around
/// it are put aside.
pub(crate) struct Failures {
    outer_watches: bool,
    outer: Option<Arc<HostData>>,
}

impl Failures {
    pub(crate) fn watch() -> Self {
        Self { outer_watches: WATCHES.replace(true), outer: LAST.take() }
    }

    /// The data of the host function that ended last, if it failed with data.
    pub(crate) fn take(&self) -> Option<Arc<HostData>> {
        LAST.take()
    }
}

impl Drop for Failures {
    fn drop(&mut self) {
        WATCHES.set(self.outer_watches);
        drop(LAST.replace(self.outer.take()));
    }
}
