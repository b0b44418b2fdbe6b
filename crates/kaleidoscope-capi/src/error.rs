//! Errors: a status, a message, and the diagnostics of a program or call.

use std::error::Error as _;
use std::ffi::CString;
use std::sync::Arc;

use kaleidoscope::{CallError, Diagnostic, DiagnosticCode, Error, ErrorKind, Source};

use crate::c_text::c_text;
use crate::diagnostics::Diagnostics;
use crate::host_data::HostData;
use crate::host_failure::HostFailure;
use crate::status::kls_status;

/// An error. Freed by kls_error_free.
#[derive(Debug)]
pub struct kls_error {
    status: kls_status,
    pub(crate) message: CString,
    pub(crate) diagnostics: Diagnostics,
    /// The row of a scan that was not completed.
    row: Option<usize>,
    /// The data of the host function that failed.
    data: Option<Arc<HostData>>,
}

impl kls_error {
    pub(crate) fn new(status: kls_status, message: impl Into<String>) -> Self {
        Self { status, message: c_text(message), diagnostics: Diagnostics::default(), row: None, data: None }
    }

    /// The error for a text with these diagnostics.
    pub(crate) fn of_program(diagnostics: Vec<Diagnostic>, source: Source) -> Self {
        let first = diagnostics.iter().find(|diagnostic| diagnostic.is_error());
        let message = c_text(first.map_or("", |diagnostic| &diagnostic.message));
        let diagnostics = Diagnostics::new(diagnostics, source);
        Self { status: kls_status::KLS_PROGRAM, message, diagnostics, row: None, data: None }
    }

    pub(crate) fn status(&self) -> kls_status {
        self.status
    }

    /// The error with the data of the host function that failed.
    pub(crate) fn with_data(mut self, data: Option<Arc<HostData>>) -> Self {
        self.data = data;
        self
    }

    pub(crate) fn data(&self) -> Option<&HostData> {
        self.data.as_deref()
    }

    pub(crate) fn row(&self) -> Option<usize> {
        self.row
    }
}

impl From<Error> for kls_error {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Memory => kls_status::KLS_MEMORY,
            ErrorKind::UnknownFunction => kls_status::KLS_UNKNOWN_FUNCTION,
            ErrorKind::InvalidName => kls_status::KLS_INVALID_NAME,
            ErrorKind::NameInUse => kls_status::KLS_NAME_IN_USE,
            _ => kls_status::KLS_INVALID_ARGUMENT,
        };
        Self::new(status, error.to_string())
    }
}

impl From<CallError> for kls_error {
    #[cold]
    fn from(error: CallError) -> Self {
        let status = match error.code() {
            DiagnosticCode::Interrupted => kls_status::KLS_INTERRUPTED,
            DiagnosticCode::TimedOut => kls_status::KLS_TIMED_OUT,
            _ => kls_status::KLS_CALL,
        };
        // C has no chain of errors.
        let diagnostic = Diagnostic::error(error.code(), None, format!("{error:#}"));
        let row = error.row();
        let failure = error.source().and_then(|source| source.downcast_ref::<HostFailure>());
        let data = failure.and_then(|failure| failure.data.clone());
        Self { status, row, data, ..Self::of_program(vec![diagnostic], Source::new("call", "")) }
    }
}
