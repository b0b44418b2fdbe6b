//! Stubs and trampolines of a session, for lazy reexports.
//!
//! A stub jumps to a trampoline until its function is linked, and then to the function. The
//! trampoline looks the function up.

#[cfg(feature = "shim")]
use std::ffi::{c_char, c_void};
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "shim")]
use llvm_sys::error::LLVMErrorRef;
#[cfg(feature = "shim")]
use llvm_sys::orc2::LLVMOrcExecutionSessionRef;
use llvm_sys::orc2::lljit::{
    LLVMOrcLLJITGetExecutionSession, LLVMOrcLLJITGetTripleString, LLVMOrcOpaqueLLJIT,
};
use llvm_sys::orc2::{
    LLVMOrcCreateLocalIndirectStubsManager, LLVMOrcDisposeIndirectStubsManager,
    LLVMOrcDisposeLazyCallThroughManager, LLVMOrcOpaqueIndirectStubsManager,
    LLVMOrcOpaqueLazyCallThroughManager,
};

use crate::error::{Error, ErrorKind};
#[cfg(feature = "shim")]
use crate::lazy_failure::{OnFailure, OnLazyFailure, on_lazy_failure};

// SAFETY: the signature is that of `shim/lazy_calls.cpp`.
#[cfg(feature = "shim")]
unsafe extern "C" {
    fn llvm_orc_create_trampolines(
        triple: *const c_char,
        session: LLVMOrcExecutionSessionRef,
        on_failure: OnFailure,
        context: *mut c_void,
        result: *mut *mut LLVMOrcOpaqueLazyCallThroughManager,
    ) -> LLVMErrorRef;
}

/// A session's stubs and trampolines, created at the first lazy reexport.
///
/// 1. The trampolines are disposed of before the LLJIT, because they refer to names in its pool.
///    The stubs are disposed of after the LLJIT. Materialization units refer to both and use them
///    only when they are materialized.
#[cfg_attr(not(feature = "shim"), derive(Default))]
pub(crate) struct Stubs {
    created: Mutex<Option<StubsAndTrampolines>>,
    /// Called instead of a function that could not be materialized. LLVM has a pointer to it.
    #[cfg(feature = "shim")]
    on_failure: OnLazyFailure,
}

#[derive(Clone, Copy)]
pub(crate) struct StubsAndTrampolines {
    pub(crate) stubs: NonNull<LLVMOrcOpaqueIndirectStubsManager>,
    pub(crate) trampolines: NonNull<LLVMOrcOpaqueLazyCallThroughManager>,
}

// SAFETY: both have locks of their own.
unsafe impl Send for StubsAndTrampolines {}

impl Stubs {
    #[cfg(feature = "shim")]
    pub(crate) fn new(on_failure: OnLazyFailure) -> Self {
        Self { created: Mutex::default(), on_failure }
    }

    /// Returns the stubs and trampolines. The first call creates them.
    ///
    /// # Safety
    /// The LLJIT is alive, and is disposed of between the trampolines and the stubs. `self` does
    /// not move any more.
    pub(crate) unsafe fn get_or_create(
        &self,
        lljit: *mut LLVMOrcOpaqueLLJIT,
    ) -> Result<StubsAndTrampolines, Error> {
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(existing) = *created {
            return Ok(existing);
        }
        // SAFETY: guaranteed by the caller.
        let triple = unsafe { LLVMOrcLLJITGetTripleString(lljit) };
        // SAFETY: guaranteed by the caller.
        let session = unsafe { LLVMOrcLLJITGetExecutionSession(lljit) };
        let mut trampolines = ptr::null_mut();
        #[cfg(feature = "shim")]
        // SAFETY: the triple is NUL-terminated, the session is alive, and `trampolines` is our
        // local variable. The context is what the function expects. The functions that it returns
        // can be called in place of the reexported ones, which the caller of
        // `JitBuilder::on_lazy_failure` guarantees.
        let error = unsafe {
            llvm_orc_create_trampolines(
                triple,
                session,
                on_lazy_failure,
                ptr::from_ref(&self.on_failure).cast_mut().cast(),
                &mut trampolines,
            )
        };
        #[cfg(not(feature = "shim"))]
        // SAFETY: the triple is NUL-terminated, the session is alive, and `trampolines` is our
        // local variable. The function does not return.
        let error = unsafe {
            llvm_sys::orc2::LLVMOrcCreateLocalLazyCallThroughManager(
                triple,
                session,
                (abort_process as *const ()).expose_provenance() as u64,
                &mut trampolines,
            )
        };
        // SAFETY: we own the error.
        unsafe { Error::check(error, ErrorKind::Target) }?;
        // SAFETY: the triple is NUL-terminated. LLVM supports stubs for every target with
        // trampolines.
        let stubs = unsafe { LLVMOrcCreateLocalIndirectStubsManager(triple) };
        let new = StubsAndTrampolines {
            stubs: NonNull::new(stubs).expect("LLVM returns what it created"),
            trampolines: NonNull::new(trampolines).expect("LLVM returns what it created"),
        };
        Ok(*created.insert(new))
    }

    /// Disposes of the trampolines. The session calls this function once, when no handle is left.
    pub(crate) fn dispose_of_trampolines(&mut self) {
        if let Some(created) = self.created.get_mut().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: we own the trampolines and dispose of them once. No symbol is looked up or
            // materialized any more.
            unsafe { LLVMOrcDisposeLazyCallThroughManager(created.trampolines.as_ptr()) };
        }
    }
}

impl Drop for Stubs {
    fn drop(&mut self) {
        if let Some(created) = self.created.get_mut().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: we own the stubs and dispose of them once. No unit refers to them, by promise
            // 1.
            unsafe { LLVMOrcDisposeIndirectStubsManager(created.stubs.as_ptr()) };
        }
    }
}

/// Called instead of a function that could not be materialized. Cannot return, because the caller
/// expects a result of unknown type. The session's reporter has received the reason.
#[cfg(not(feature = "shim"))]
extern "C" fn abort_process() {
    std::process::abort();
}

impl fmt::Debug for Stubs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stubs").finish_non_exhaustive()
    }
}
