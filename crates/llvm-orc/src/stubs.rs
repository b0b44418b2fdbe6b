//! Stubs and trampolines of a session, for lazy reexports.
//!
//! A stub jumps to a trampoline until its function is linked, and then to the function. The
//! trampoline looks the function up.

use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, PoisonError};

use llvm_sys::orc2::lljit::{
    LLVMOrcLLJITGetExecutionSession, LLVMOrcLLJITGetTripleString, LLVMOrcOpaqueLLJIT,
};
use llvm_sys::orc2::{
    LLVMOrcCreateLocalIndirectStubsManager, LLVMOrcCreateLocalLazyCallThroughManager,
    LLVMOrcDisposeIndirectStubsManager, LLVMOrcDisposeLazyCallThroughManager,
    LLVMOrcOpaqueIndirectStubsManager, LLVMOrcOpaqueLazyCallThroughManager,
};

use crate::address::Address;
use crate::error::{Error, ErrorKind};

/// A session's stubs and trampolines, created at the first lazy reexport.
///
/// 1. The trampolines are disposed of before the LLJIT, because they refer to names in its pool.
///    The stubs are disposed of after the LLJIT. Materialization units refer to both and use them
///    only when they are materialized.
#[derive(Default)]
pub(crate) struct Stubs {
    created: Mutex<Option<StubsAndTrampolines>>,
    /// Called instead of a function that could not be materialized.
    pub(crate) on_failure: Option<Address>,
}

#[derive(Clone, Copy)]
pub(crate) struct StubsAndTrampolines {
    pub(crate) stubs: NonNull<LLVMOrcOpaqueIndirectStubsManager>,
    pub(crate) trampolines: NonNull<LLVMOrcOpaqueLazyCallThroughManager>,
}

// SAFETY: both have locks of their own.
unsafe impl Send for StubsAndTrampolines {}

impl Stubs {
    /// Returns the stubs and trampolines. The first call creates them.
    ///
    /// # Safety
    /// The LLJIT is alive, and is disposed of between the trampolines and the stubs.
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
        let on_failure = self.on_failure.unwrap_or_else(|| Address::from(abort_process as *const ()));
        let mut trampolines = ptr::null_mut();
        // SAFETY: the triple is NUL-terminated, the session is alive, and `trampolines` is our
        // local variable. The function at `on_failure` can be called in place of any reexported
        // function, which the caller of `JitBuilder::on_lazy_failure` guarantees.
        let error = unsafe {
            LLVMOrcCreateLocalLazyCallThroughManager(triple, session, on_failure.get(), &mut trampolines)
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

/// Default of `JitBuilder::on_lazy_failure`. Cannot return, because the caller expects a result of
/// unknown type. The session's reporter has received the reason.
extern "C" fn abort_process() {
    std::process::abort();
}

impl fmt::Debug for Stubs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stubs").field("on_failure", &self.on_failure).finish_non_exhaustive()
    }
}
