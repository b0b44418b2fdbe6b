//! Session: owns one LLJIT and everything that LLVM refers to. All handles share it.
//!
//! The crate's unsafe blocks rely on these promises:
//!
//! 1. A `Session` outlives each `Jit`, `Dylib` and `Tracker` created from it, because each holds an
//!    `Arc` of it.
//! 2. The execution session, string pool, layers and dylibs live as long as the LLJIT. Nothing in
//!    this crate frees them earlier: a removed dylib stays in memory.
//! 3. Every LLVM function that this crate calls on a session takes LLVM's own locks: the session's
//!    for dylibs, trackers and look-ups, the pool's for names, a context's for its modules. The
//!    transforms of the layers have no lock, so they are set before the session is shared.
//! 4. The session owns reports, hooks, filters and stubs at stable addresses and drops them after
//!    the LLJIT, so LLVM's pointers to them are valid whenever LLVM uses them.

#[cfg(feature = "shim")]
mod removed_dylibs;
mod reports;

use std::any::Any;
use std::ffi::c_void;
use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use llvm_sys::error::LLVMConsumeError;
use llvm_sys::orc2::lljit::{LLVMOrcDisposeLLJIT, LLVMOrcLLJITGetExecutionSession, LLVMOrcOpaqueLLJIT};
use llvm_sys::orc2::{
    LLVMOrcExecutionSessionGetSymbolStringPool, LLVMOrcExecutionSessionRef,
    LLVMOrcExecutionSessionSetErrorReporter, LLVMOrcSymbolStringPoolClearDeadEntries,
};

#[cfg(feature = "shim")]
use llvm_sys::orc2::LLVMOrcOpaqueJITDylib;

use crate::boundary;
#[cfg(feature = "shim")]
use crate::code_lease::{CodeLease, CodeLeases};
use crate::error::Error;
#[cfg(feature = "inkwell")]
use crate::ir_transforms::IrTransforms;
use crate::object::Object;
use crate::object_transforms::ObjectTransforms;
#[cfg(feature = "shim")]
use crate::session_hooks::SessionHooks;
use crate::stubs::{Stubs, StubsAndTrampolines};
#[cfg(feature = "shim")]
use removed_dylibs::RemovedDylibs;
pub(crate) use reports::{Reporter, Reports};

/// Minimum number of removed trackers after which dead names are removed from the string pool. With
/// more live trackers than that, their number is the limit: then the cost of a scan is a constant
/// per removal.
const CLEAR_POOL_AFTER: usize = 1024;

pub(crate) struct Session {
    lljit: NonNull<LLVMOrcOpaqueLLJIT>,
    /// LLVM has a pointer to it.
    reports: Arc<Reports>,
    /// Locked while a dylib is created, so that no two get the same name. LLVM does not check
    /// names.
    pub(crate) dylib_naming: Mutex<()>,
    n_trackers: AtomicUsize,
    n_removed: AtomicUsize,
    // Dropped after the LLJIT, which refers to them, by promise 4.
    stubs: Stubs,
    hooks: Arc<Hooks>,
    /// Released before the LLJIT.
    #[cfg(feature = "shim")]
    removed_dylibs: Mutex<RemovedDylibs>,
    #[cfg(feature = "shim")]
    code_leases: CodeLeases,
    kept_alive: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
}

/// Transforms that the session's layers call between module and linked code.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) object_transforms: ObjectTransforms,
    #[cfg(feature = "shim")]
    pub(crate) session_hooks: SessionHooks,
    #[cfg(feature = "inkwell")]
    pub(crate) ir_transforms: IrTransforms,
}

// SAFETY: promise 3. Reporter and hooks are `Send`, and the other fields are made for sharing.
// LLJIT runs no callbacks of its own at disposal, so the last user may be any thread.
unsafe impl Send for Session {}
// SAFETY: promise 3. Reporter and hooks are `Sync`.
unsafe impl Sync for Session {}

impl Session {
    /// Creates a session that owns `lljit`.
    ///
    /// # Safety
    /// `lljit` is alive and the caller passes ownership.
    pub(crate) unsafe fn new(
        lljit: NonNull<LLVMOrcOpaqueLLJIT>,
        reports: Arc<Reports>,
        hooks: Arc<Hooks>,
        stubs: Stubs,
    ) -> Arc<Session> {
        let session = Arc::new(Session {
            lljit,
            reports,
            dylib_naming: Mutex::new(()),
            n_trackers: AtomicUsize::new(0),
            n_removed: AtomicUsize::new(0),
            stubs,
            hooks,
            #[cfg(feature = "shim")]
            removed_dylibs: Mutex::default(),
            #[cfg(feature = "shim")]
            code_leases: CodeLeases::default(),
            kept_alive: Mutex::default(),
        });
        // SAFETY: the LLJIT is alive and not shared yet. The hooks have a stable address by promise
        // 4.
        unsafe { ObjectTransforms::attach(&session.hooks.object_transforms, lljit.as_ptr()) };
        #[cfg(feature = "inkwell")]
        // SAFETY: as above.
        unsafe {
            IrTransforms::attach(&session.hooks.ir_transforms, lljit.as_ptr());
        }
        let context = Arc::as_ptr(&session.reports).cast_mut().cast::<c_void>();
        // SAFETY: the execution session is alive. `context` has the type that `receive_report`
        // expects, by promise 4.
        unsafe { LLVMOrcExecutionSessionSetErrorReporter(session.raw(), reports::receive_report, context) };
        session
    }

    pub(crate) fn lljit(&self) -> *mut LLVMOrcOpaqueLLJIT {
        self.lljit.as_ptr()
    }

    pub(crate) fn raw(&self) -> LLVMOrcExecutionSessionRef {
        // SAFETY: the LLJIT lives as long as `self`.
        unsafe { LLVMOrcLLJITGetExecutionSession(self.lljit()) }
    }

    /// Owns a value that LLVM refers to until the LLJIT is gone. Returns the value's address.
    pub(crate) fn keep_alive<T: Any + Send + Sync>(&self, owned: Arc<T>) -> *mut c_void {
        let address = Arc::as_ptr(&owned).cast_mut().cast();
        self.kept_alive.lock().unwrap_or_else(PoisonError::into_inner).push(owned);
        address
    }

    #[cfg(feature = "shim")]
    pub(crate) fn removed_dylibs(&self) -> &Mutex<RemovedDylibs> {
        &self.removed_dylibs
    }

    /// Why symbols failed, and the reporter.
    pub(crate) fn reports(&self) -> &Reports {
        &self.reports
    }

    /// The lease for a new tracker of the dylib.
    #[cfg(feature = "shim")]
    pub(crate) fn lease(&self, dylib: *mut LLVMOrcOpaqueJITDylib) -> Arc<CodeLease> {
        self.code_leases.of(dylib.addr())
    }

    /// The lease that the living trackers of the dylib hold.
    #[cfg(feature = "shim")]
    pub(crate) fn lease_if_any(&self, dylib: *mut LLVMOrcOpaqueJITDylib) -> Option<Arc<CodeLease>> {
        self.code_leases.find(dylib.addr())
    }

    /// The session's stubs and trampolines, which are created at the first call.
    pub(crate) fn stubs(&self) -> Result<StubsAndTrampolines, Error> {
        // SAFETY: the LLJIT is alive, and `drop` disposes of it between trampolines and stubs.
        unsafe { self.stubs.get_or_create(self.lljit()) }
    }

    #[cfg(all(feature = "inkwell", not(feature = "shim")))]
    pub(crate) fn ir_transforms(&self) -> &IrTransforms {
        &self.hooks.ir_transforms
    }

    /// Applies the session's object transforms.
    pub(crate) fn transform_object(&self, object: &Object) -> Result<Object, Error> {
        self.hooks.object_transforms.apply(object.clone())
    }

    pub(crate) fn count_tracker(&self) {
        self.n_trackers.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a removed tracker. From time to time, removes dead names from the string pool.
    pub(crate) fn count_removed_tracker(&self) {
        let n_live = self.n_trackers.fetch_sub(1, Ordering::Relaxed) - 1;
        let n_removed = self.n_removed.fetch_add(1, Ordering::Relaxed) + 1;
        if n_removed >= CLEAR_POOL_AFTER.max(n_live) {
            self.n_removed.store(0, Ordering::Relaxed);
            self.clear_dead_names();
        }
    }

    pub(crate) fn clear_dead_names(&self) {
        // SAFETY: the execution session is alive by promise 2.
        let pool = unsafe { LLVMOrcExecutionSessionGetSymbolStringPool(self.raw()) };
        // SAFETY: the pool is alive by promise 2 and locks itself by promise 3.
        unsafe { LLVMOrcSymbolStringPoolClearDeadEntries(pool) };
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stubs.dispose_of_trampolines();
        #[cfg(feature = "shim")]
        drop(std::mem::take(self.removed_dylibs.get_mut().unwrap_or_else(PoisonError::into_inner)));
        boundary::call_llvm_in_drop(|| {
            // SAFETY: no handle is left by promise 1, so nothing else uses the LLJIT. The reporter
            // is alive.
            let error = unsafe { LLVMOrcDisposeLLJIT(self.lljit()) };
            if !error.is_null() {
                // SAFETY: we own the error value.
                unsafe { LLVMConsumeError(error) };
            }
        });
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("n_trackers", &self.n_trackers.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}
