//! Code leases: keep the code of a dylib in memory while one of its trackers lives.
//!
//! A [`Symbol`](crate::Symbol) borrows a tracker, and may be called as long as the tracker lives,
//! also if another handle removes the whole dylib. Each tracker holds the lease of its dylib. The
//! removal of a dylib gives the dylib's code to the lease, which frees it when its last tracker
//! ends.

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError, Weak};

// SAFETY: the signature is that of `shim/shared_memory.cpp`.
unsafe extern "C" {
    fn llvm_orc_free_kept(kept: *mut c_void);
}

/// Held by each tracker of one dylib. Dropped while the session is alive.
#[derive(Debug, Default)]
pub(crate) struct CodeLease(Mutex<Option<KeptCode>>);

impl CodeLease {
    /// Frees the code when the last tracker ends.
    pub(crate) fn keep(&self, code: Option<KeptCode>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = code;
    }
}

/// Code of a removed dylib.
#[derive(Debug)]
pub(crate) struct KeptCode(NonNull<c_void>);

// SAFETY: the shim frees it under a lock, on any thread.
unsafe impl Send for KeptCode {}
// SAFETY: a shared reference gives access to nothing.
unsafe impl Sync for KeptCode {}

impl KeptCode {
    /// `None` for null.
    ///
    /// # Safety
    /// `raw` is null or what `llvm_orc_remove_dylib` kept, and the caller passes ownership. The
    /// session outlives the result.
    pub(crate) unsafe fn new(raw: *mut c_void) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }
}

impl Drop for KeptCode {
    fn drop(&mut self) {
        // SAFETY: we own it, and the session is alive.
        unsafe { llvm_orc_free_kept(self.0.as_ptr()) };
    }
}

/// The leases of a session's dylibs, by the dylibs' addresses.
#[derive(Debug, Default)]
pub(crate) struct CodeLeases(Mutex<HashMap<usize, Weak<CodeLease>>>);

impl CodeLeases {
    /// The lease of a dylib for a new tracker.
    pub(crate) fn of(&self, dylib: usize) -> Arc<CodeLease> {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = leases.entry(dylib).or_default();
        known.upgrade().unwrap_or_else(|| {
            let lease = Arc::default();
            *known = Arc::downgrade(&lease);
            lease
        })
    }

    /// The lease of a dylib that has a tracker.
    pub(crate) fn find(&self, dylib: usize) -> Option<Arc<CodeLease>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&dylib)?.upgrade()
    }
}
