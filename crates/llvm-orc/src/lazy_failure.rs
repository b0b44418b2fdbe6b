//! Failures of lazily reexported functions: which function is called instead.

use std::ffi::{c_char, c_void};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::LLVMOrcJITDylibRef;

use crate::address::Address;
use crate::error::{Error, ErrorKind};
use crate::session::Reports;

/// A call of a lazily reexported function that could not be materialized. See
/// [`JitBuilder::on_lazy_failure`](crate::JitBuilder::on_lazy_failure).
#[derive(Debug)]
pub struct LazyFailure<'a> {
    name: &'a str,
    dylib_name: &'a str,
    error: Error,
}

impl LazyFailure<'_> {
    /// The name of the function that was looked up: the stub's target.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name
    }

    /// The name of the dylib in which it was looked up.
    #[must_use]
    pub fn dylib_name(&self) -> &str {
        self.dylib_name
    }

    /// Why it could not be materialized. Its source says more, as for
    /// [`Dylib::lookup`](crate::Dylib::lookup).
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }
}

/// [`on_lazy_failure`], as the shim knows it.
pub(crate) type OnFailure = unsafe extern "C" fn(
    *mut c_void,
    LLVMOrcJITDylibRef,
    *const c_char,
    *const c_char,
    usize,
    LLVMErrorRef,
) -> u64;

pub(crate) type Choose = dyn Fn(&LazyFailure<'_>) -> Address + Send + Sync;

/// Chooses the functions that are called instead. LLVM has a pointer to it.
pub(crate) struct OnLazyFailure {
    choose: Option<Box<Choose>>,
    reports: Arc<Reports>,
}

impl OnLazyFailure {
    pub(crate) fn new(choose: Option<Box<Choose>>, reports: Arc<Reports>) -> Self {
        Self { choose, reports }
    }

    fn address(&self, failure: &LazyFailure<'_>) -> Address {
        let chosen = self.choose.as_ref().map(|choose| catch_unwind(AssertUnwindSafe(|| choose(failure))));
        match chosen {
            Some(Ok(address)) => address,
            // Nothing is left to call, and the caller expects a result of unknown type.
            Some(Err(_)) | None => std::process::abort(),
        }
    }
}

impl fmt::Debug for OnLazyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnLazyFailure").finish_non_exhaustive()
    }
}

/// Called by `shim/lazy_calls.cpp`.
///
/// # Safety
/// `context` is the address of an [`OnLazyFailure`], `dylib_name` is NUL-terminated, `name` has
/// `length` bytes, and the caller passes ownership of `reason`.
pub(crate) unsafe extern "C" fn on_lazy_failure(
    context: *mut c_void,
    dylib: LLVMOrcJITDylibRef,
    dylib_name: *const c_char,
    name: *const c_char,
    length: usize,
    reason: LLVMErrorRef,
) -> u64 {
    // SAFETY: guaranteed by the caller. The session owns it longer than its trampolines.
    let failures = unsafe { &*context.cast::<OnLazyFailure>() };
    // SAFETY: guaranteed by the caller.
    let dylib_name = unsafe { std::ffi::CStr::from_ptr(dylib_name) }.to_string_lossy();
    // SAFETY: guaranteed by the caller.
    let name = String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) });
    // SAFETY: guaranteed by the caller.
    let error = match unsafe { Error::check(reason, ErrorKind::Link) } {
        Ok(()) => Error::new(ErrorKind::Link, "unknown reason"),
        Err(error) => failures.reports.explain(dylib.addr(), &name, error),
    };
    failures.reports.report(error.without_cause());
    failures.address(&LazyFailure { name: &name, dylib_name: &dylib_name, error }).get()
}
