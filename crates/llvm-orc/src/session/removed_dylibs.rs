//! Dylibs that were removed from a session, and stay in memory until the session ends.

use std::ptr::NonNull;

use llvm_sys::orc2::{LLVMOrcJITDylibRef, LLVMOrcOpaqueJITDylib};

// SAFETY: the signature is that of `shim/session.cpp`.
unsafe extern "C" {
    fn llvm_orc_release_dylib(dylib: LLVMOrcJITDylibRef);
}

/// The removed dylibs. Link orders of other dylibs and handles may refer to them.
#[derive(Debug, Default)]
pub(crate) struct RemovedDylibs(Vec<NonNull<LLVMOrcOpaqueJITDylib>>);

// SAFETY: the only use is the release, by the last user of the session.
unsafe impl Send for RemovedDylibs {}

impl RemovedDylibs {
    /// Adds a dylib. Returns whether it was not removed before.
    ///
    /// # Safety
    /// If the result is true, the caller removes the dylib by `llvm_orc_remove_dylib`, which
    /// retains it. The session outlives `self`.
    pub(crate) unsafe fn insert(&mut self, dylib: NonNull<LLVMOrcOpaqueJITDylib>) -> bool {
        let is_new = !self.0.contains(&dylib);
        if is_new {
            self.0.push(dylib);
        }
        is_new
    }
}

impl Drop for RemovedDylibs {
    fn drop(&mut self) {
        for dylib in &self.0 {
            // SAFETY: retained at removal, and the session is still alive.
            unsafe { llvm_orc_release_dylib(dylib.as_ptr()) };
        }
    }
}
