//! One LLJIT and all that lives as long as it: shared by every handle, disposed of by the last one.
//!
//! Promises that the crate's unsafe blocks cite:
//!
//! 1. A `Session` lives as long as any `Jit`, `Dylib` or `Tracker` made from it: each holds an `Arc` of it.
//! 2. What is reached through it (execution session, string pool, layers, dylibs) lives as long as the LLJIT,
//!    because nothing here takes any of them away sooner; a dylib that is removed stays in memory until then.
//! 3. Every function of LLVM that this crate calls upon a session takes LLVM's own locks: the session's for
//!    dylibs, trackers and look-ups, the pool's for names, a context's for its modules. The layers' transforms, which have
//!    none, are set before the session is shared.
//! 4. Reporter, hooks, filters and stubs lie in places of their own that the session gives up after the LLJIT, so
//!    LLVM's pointers to them are good as long as LLVM can use them.

use std::any::Any;
use std::ffi::c_void;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use llvm_sys::error::{LLVMConsumeError, LLVMErrorRef};
use llvm_sys::orc2::lljit::{LLVMOrcDisposeLLJIT, LLVMOrcLLJITGetExecutionSession, LLVMOrcOpaqueLLJIT};
use llvm_sys::orc2::{
    LLVMOrcExecutionSessionGetSymbolStringPool, LLVMOrcExecutionSessionRef,
    LLVMOrcExecutionSessionSetErrorReporter, LLVMOrcSymbolStringPoolClearDeadEntries,
};

use crate::boundary;
#[cfg(feature = "shim")]
use crate::dylib::RemovedDylibs;
use crate::error::{Error, ErrorKind};
#[cfg(feature = "inkwell")]
use crate::ir_transforms::IrTransforms;
use crate::lazy_reexports::LazyReexportManagers;
use crate::object::Object;
use crate::object_transforms::ObjectTransforms;

/// Dead names are dropped from the pool when so many trackers were removed since the last time, or as many as
/// still live if that is more: going through the pool then costs a constant share of each removal.
const CLEAR_POOL_AFTER: usize = 1024;

pub(crate) type Reporter = Box<dyn Fn(&Error) + Send + Sync>;

pub(crate) struct Session {
    lljit: NonNull<LLVMOrcOpaqueLLJIT>,
    /// Kept for its place, which only LLVM's pointer to it reads.
    reporter: Option<Arc<Reporter>>,
    /// Held while a dylib is named, so that no two get the same name: LLVM leaves that to its caller.
    pub(crate) dylib_naming: Mutex<()>,
    n_trackers: AtomicUsize,
    n_removed: AtomicUsize,
    // Given up after the LLJIT, which refers to them: by promise 4.
    lazy_reexports: LazyReexportManagers,
    hooks: Arc<Hooks>,
    /// Released before the LLJIT.
    #[cfg(feature = "shim")]
    removed_dylibs: Mutex<RemovedDylibs>,
    kept_alive: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
}

/// What the session's layers call on the way from a module to linked code.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) object_transforms: ObjectTransforms,
    #[cfg(feature = "inkwell")]
    pub(crate) ir_transforms: IrTransforms,
}

// SAFETY: promise 3; reporter and hooks are `Send` and the rest is made for sharing. LLJIT runs no code of its own when
// disposed of, so any thread may be the last.
unsafe impl Send for Session {}
// SAFETY: promise 3; reporter and hooks are `Sync`.
unsafe impl Sync for Session {}

impl Session {
    /// Takes over an LLJIT.
    ///
    /// # Safety
    /// `lljit` is alive and nobody else disposes of it.
    pub(crate) unsafe fn new(
        lljit: NonNull<LLVMOrcOpaqueLLJIT>,
        reporter: Option<Reporter>,
        hooks: Hooks,
        lazy_reexports: LazyReexportManagers,
    ) -> Arc<Session> {
        let session = Arc::new(Session {
            lljit,
            reporter: reporter.map(Arc::new),
            dylib_naming: Mutex::new(()),
            n_trackers: AtomicUsize::new(0),
            n_removed: AtomicUsize::new(0),
            lazy_reexports,
            hooks: Arc::new(hooks),
            #[cfg(feature = "shim")]
            removed_dylibs: Mutex::default(),
            kept_alive: Mutex::default(),
        });
        // SAFETY: the LLJIT was given over just now; the hooks lie in a place of their own, by promise 4.
        unsafe { ObjectTransforms::attach(&session.hooks.object_transforms, lljit.as_ptr()) };
        #[cfg(feature = "inkwell")]
        // SAFETY: as above.
        unsafe {
            IrTransforms::attach(&session.hooks.ir_transforms, lljit.as_ptr());
        }
        let context = session.reporter.as_ref().map_or(ptr::null(), Arc::as_ptr).cast_mut().cast::<c_void>();
        // SAFETY: the session is alive, and `context` is what `receive_report` expects, by promise 4.
        unsafe { LLVMOrcExecutionSessionSetErrorReporter(session.raw(), receive_report, context) };
        session
    }

    pub(crate) fn lljit(&self) -> *mut LLVMOrcOpaqueLLJIT {
        self.lljit.as_ptr()
    }

    pub(crate) fn raw(&self) -> LLVMOrcExecutionSessionRef {
        // SAFETY: the LLJIT lives as long as `self`.
        unsafe { LLVMOrcLLJITGetExecutionSession(self.lljit()) }
    }

    /// Keeps something that LLVM refers to until the LLJIT is gone.
    pub(crate) fn keep_alive<T: Any + Send + Sync>(&self, owned: Arc<T>) -> *mut c_void {
        let place = Arc::as_ptr(&owned).cast_mut().cast();
        self.kept_alive.lock().unwrap_or_else(PoisonError::into_inner).push(owned);
        place
    }

    #[cfg(feature = "shim")]
    pub(crate) fn removed_dylibs(&self) -> &Mutex<RemovedDylibs> {
        &self.removed_dylibs
    }

    pub(crate) fn lazy_reexports(&self) -> &LazyReexportManagers {
        &self.lazy_reexports
    }

    #[cfg(all(feature = "inkwell", not(feature = "shim")))]
    pub(crate) fn ir_transforms(&self) -> &IrTransforms {
        &self.hooks.ir_transforms
    }

    /// The object as the session's transforms make it.
    pub(crate) fn transform_object(&self, object: &Object) -> Result<Object, Error> {
        self.hooks.object_transforms.apply(object.clone())
    }

    /// Tells the reporter of an error that nobody receives. A panic of the reporter's is carried on.
    pub(crate) fn report(&self, error: Error) {
        boundary::catch_panic(|| notify_reporter(self.reporter.as_deref(), error, boundary::record_error));
    }

    /// As [`report`](Session::report), for what is the cause of what was reported before.
    pub(crate) fn report_cause(&self, error: Error) {
        boundary::catch_panic(|| notify_reporter(self.reporter.as_deref(), error, boundary::record_cause));
    }

    pub(crate) fn count_tracker(&self) {
        self.n_trackers.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a tracker was removed and now and then clears the names that went with it.
    pub(crate) fn count_removed_tracker(&self) {
        let n_live = self.n_trackers.fetch_sub(1, Ordering::Relaxed) - 1;
        let n_removed = self.n_removed.fetch_add(1, Ordering::Relaxed) + 1;
        if n_removed >= CLEAR_POOL_AFTER.max(n_live) {
            self.n_removed.store(0, Ordering::Relaxed);
            self.clear_dead_names();
        }
    }

    pub(crate) fn clear_dead_names(&self) {
        // SAFETY: the execution session is alive, by promise 2.
        let pool = unsafe { LLVMOrcExecutionSessionGetSymbolStringPool(self.raw()) };
        // SAFETY: the pool is alive, by promise 2, and locks itself, by promise 3.
        unsafe { LLVMOrcSymbolStringPoolClearDeadEntries(pool) };
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.lazy_reexports.dispose_call_through_manager();
        #[cfg(feature = "shim")]
        drop(std::mem::take(self.removed_dylibs.get_mut().unwrap_or_else(PoisonError::into_inner)));
        boundary::call_llvm_in_drop(|| {
            // SAFETY: by promise 1 no handle is left, so nothing else uses the LLJIT; the reporter is alive.
            let error = unsafe { LLVMOrcDisposeLLJIT(self.lljit()) };
            if !error.is_null() {
                // SAFETY: an error value of ours that nobody asks any more.
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

/// What LLVM calls with each error that no caller is there to receive.
extern "C" fn receive_report(context: *mut c_void, error: LLVMErrorRef) {
    boundary::catch_panic(|| {
        // SAFETY: an error reporter owns the error it is given.
        let Err(error) = (unsafe { Error::check(error, ErrorKind::Session) }) else { return };
        // SAFETY: `context` is null or the place of the reporter, by promise 4.
        let reporter = unsafe { context.cast::<Reporter>().as_ref() };
        notify_reporter(reporter, error, boundary::record_error);
    });
}

/// Tells the reporter of an error and keeps it as the cause of the operation that is running on this thread.
fn notify_reporter(reporter: Option<&Reporter>, error: Error, keep: fn(Error)) {
    let Some(reporter) = reporter else { return keep(error) };
    // The cause is kept_alive even if the closure panics.
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reporter(&error)));
    keep(error);
    if let Err(payload) = told {
        std::panic::resume_unwind(payload);
    }
}
