//! Reports: errors that LLVM reports to the session, and why symbols could not be linked.
//!
//! LLVM tells the reason of a failure to the session's reporter, and to later look-ups only that a
//! symbol failed. This module remembers the reason for each symbol.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use llvm_sys::error::LLVMErrorRef;

use crate::boundary;
use crate::error::{Error, ErrorKind};
#[cfg(feature = "shim")]
use crate::failed_symbols;

pub(crate) type Reporter = Box<dyn Fn(&Error) + Send + Sync>;

/// The number of failures that a session remembers.
const MAX_FAILURES: usize = 256;

/// A session's reporter and its remembered failures. LLVM has a pointer to it.
#[derive(Default)]
pub(crate) struct Reports {
    reporter: Option<Reporter>,
    /// The latest is last.
    failures: Mutex<VecDeque<Failure>>,
}

/// Symbols that could not be linked.
struct Failure {
    /// The dylib's address.
    dylib: usize,
    names: Vec<String>,
    cause: Error,
}

impl Failure {
    fn is_of(&self, dylib: usize, name: &str) -> bool {
        self.dylib == dylib && self.names.iter().any(|known| known == name)
    }
}

impl Reports {
    pub(crate) fn new(reporter: Option<Reporter>) -> Self {
        Self { reporter, failures: Mutex::default() }
    }

    /// Passes an error that no caller receives to the reporter. A panic of the reporter is raised
    /// again when the current operation returns.
    pub(crate) fn report(&self, error: Error) {
        boundary::catch_panic(|| self.notify(error, boundary::record_error));
    }

    /// Like [`report`](Reports::report), for the cause of an error that was reported before.
    pub(crate) fn report_cause(&self, error: Error) {
        boundary::catch_panic(|| self.notify(error, boundary::record_cause));
    }

    /// Passes an error to the reporter, and stores it as the cause of the operation that is running
    /// on this thread.
    fn notify(&self, error: Error, store: fn(Error)) {
        let Some(reporter) = &self.reporter else { return store(error) };
        // The cause is stored even if the closure panics.
        let result = catch_unwind(AssertUnwindSafe(|| reporter(&error)));
        store(error);
        if let Err(payload) = result {
            resume_unwind(payload);
        }
    }

    /// Remembers why symbols of a dylib cannot be linked. Called before they fail, so that each
    /// look-up that waits for them finds the cause.
    pub(crate) fn remember(&self, dylib: usize, names: Vec<String>, cause: &Error) {
        if names.is_empty() {
            return;
        }
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        for failure in failures.iter_mut().filter(|failure| failure.dylib == dylib) {
            failure.names.retain(|name| !names.contains(name));
        }
        failures.retain(|failure| !failure.names.is_empty());
        if failures.len() == MAX_FAILURES {
            failures.pop_front();
        }
        failures.push_back(Failure { dylib, names, cause: cause.without_cause() });
    }

    /// Adds the cause to the error of a look-up. LLVM reports the cause to the look-up that links a
    /// symbol, and only says to others that the symbol failed.
    pub(crate) fn explain(&self, dylib: usize, name: &str, mut error: Error) -> Error {
        if error.kind() != ErrorKind::Link {
            return error;
        }
        let failed = error.take_failed_symbols();
        if let Some(cause) = error.cause() {
            let mut names: Vec<String> =
                failed.into_iter().filter(|(of, _)| *of == dylib).map(|(_, name)| name).collect();
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
            self.remember(dylib, names, &cause);
            return error;
        }
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let known = failures.iter().rev().find(|failure| failure.is_of(dylib, name));
        error.with_cause(known.map(|failure| failure.cause.without_cause()))
    }
}

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reports").finish_non_exhaustive()
    }
}

/// LLVM's error reporter: receives each error that no caller receives. `context` is the address of
/// the session's reports.
pub(super) extern "C" fn receive_report(context: *mut c_void, error: LLVMErrorRef) {
    boundary::catch_panic(|| {
        // SAFETY: an error reporter owns the error that it receives.
        let Err(error) = (unsafe { Error::check(error, ErrorKind::Session) }) else { return };
        // SAFETY: the session registered this pointer, and owns the reports longer than the LLJIT.
        let reports = unsafe { &*context.cast::<Reports>() };
        #[cfg(feature = "shim")]
        if let Some((dylib, names)) = failed_symbols::of_failed_link() {
            reports.remember(dylib, names, &error);
        }
        reports.notify(error, boundary::record_error);
    });
}
