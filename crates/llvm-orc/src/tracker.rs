//! Trackers: own what was added to a dylib, and remove it.

use std::fmt;
use std::pin::Pin;
#[cfg(feature = "shim")]
use std::ptr;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use llvm_sys::orc2::lljit::LLVMOrcLLJITAddObjectFileWithRT;
use llvm_sys::orc2::{
    LLVMOrcJITDylibCreateResourceTracker, LLVMOrcOpaqueResourceTracker, LLVMOrcReleaseResourceTracker,
    LLVMOrcResourceTrackerRef, LLVMOrcResourceTrackerRemove, LLVMOrcResourceTrackerTransferTo,
};

use crate::address::{Address, Function, Symbol};
use crate::boundary;
#[cfg(feature = "shim")]
use crate::code_lease::{CodeLease, KeptCode};
use crate::dylib::Dylib;
#[cfg(feature = "shim")]
use crate::epochs;
use crate::error::{Error, ErrorKind};
use crate::jit_code_list::RegisteredObject;
#[cfg(feature = "shim")]
use crate::linked_object::TrackerId;
use crate::memory_buffer::MemoryBuffer;
use crate::object::Object;
use crate::out_of_memory::InsideLlvm;

// SAFETY: the signature is that of `shim/session.cpp`.
#[cfg(feature = "shim")]
unsafe extern "C" {
    fn llvm_orc_remove_keeping(
        tracker: LLVMOrcResourceTrackerRef,
        kept: *mut *mut std::ffi::c_void,
    ) -> llvm_sys::error::LLVMErrorRef;
}

/// Owns what one [`Dylib::add_object`] added: symbols, code and memory.
///
/// Code of the tracker that other objects were linked to stays in memory as long as they do.
///
/// Dropping a tracker removes what it owns. [`remove`](Tracker::remove) does the same and returns
/// errors. Code that is running, or that is called by its address later, must not be removed:
/// whoever called it in an `unsafe` block promised that.
#[must_use = "dropping the tracker removes what it owns"]
pub struct Tracker {
    /// Dropped before the dylib's handle, which keeps the session alive.
    #[cfg(feature = "shim")]
    _lease: Arc<CodeLease>,
    dylib: Dylib,
    raw: NonNull<LLVMOrcOpaqueResourceTracker>,
    removed: bool,
    /// Objects that are registered with debuggers.
    registered: Mutex<Vec<Pin<Box<RegisteredObject>>>>,
}

// SAFETY: LLVM counts trackers atomically and uses them under the session's lock (promise 3). The
// dylib's handle keeps the session alive on every thread.
unsafe impl Send for Tracker {}
// SAFETY: `&Tracker` gives access to look-ups and to a list with a lock only.
unsafe impl Sync for Tracker {}

impl Tracker {
    pub(crate) fn new(dylib: Dylib) -> Tracker {
        let _inside = InsideLlvm::enter();
        // SAFETY: the dylib is alive. We own one count of the new tracker.
        let raw = unsafe { LLVMOrcJITDylibCreateResourceTracker(dylib.raw()) };
        let raw = NonNull::new(raw).expect("LLVM returns the tracker");
        dylib.session().count_tracker();
        Tracker {
            #[cfg(feature = "shim")]
            _lease: dylib.session().lease(dylib.raw()),
            dylib,
            raw,
            removed: false,
            registered: Mutex::default(),
        }
    }

    /// The dylib that the tracker belongs to.
    #[must_use]
    pub fn dylib(&self) -> &Dylib {
        &self.dylib
    }

    /// Looks up an address in the tracker's dylib, like [`Dylib::lookup`].
    ///
    /// # Errors
    /// As [`Dylib::lookup`].
    pub fn lookup(&self, name: &str) -> Result<Address, Error> {
        self.dylib.lookup(name)
    }

    /// Looks up a function that this tracker owns, by name and type. The result borrows the
    /// tracker, so its code cannot be removed while it is callable.
    ///
    /// # Errors
    /// As [`Dylib::lookup`].
    ///
    /// # Safety
    /// The symbol must belong to what this tracker owns, have type `F`, and be safe to call with
    /// any arguments of that type as long as the tracker lives. The code that it is linked to lives
    /// as long. What it reaches in other ways must be there when it is called: functions at
    /// addresses ([`Dylib::define_absolute`], or the result of a look-up that was passed on), and
    /// functions behind the stubs of [`Dylib::reexport_lazily`]. Without the feature `shim`, all
    /// code that it is linked to must be there, too.
    pub unsafe fn lookup_fn<F: Function>(&self, name: &str) -> Result<Symbol<'_, F>, Error> {
        let address = self.dylib.lookup(name)?;
        // SAFETY: guaranteed by the caller. The borrow prevents the removal of this tracker.
        Ok(unsafe { Symbol::new(address) })
    }

    /// Removes what the tracker owns. The names are free afterwards, even after an error.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if memory could not be freed.
    pub fn remove(mut self) -> Result<(), Error> {
        boundary::call_llvm(|| self.remove_resources())
    }

    /// Identifies the tracker: [`LinkedObject::tracker`](crate::LinkedObject::tracker) is the same
    /// for its objects.
    #[cfg(feature = "shim")]
    #[must_use]
    pub fn id(&self) -> TrackerId {
        TrackerId(self.raw.addr().get())
    }

    /// Removes what the tracker owns as soon as no thread can be inside its code. Its names are
    /// free at once.
    ///
    /// A thread is inside while it calls a function by this crate, such as [`Symbol::call`].
    /// Therefore code can be retired while threads run it, but not while a caller by address does.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if memory could not be freed.
    #[cfg(feature = "shim")]
    pub fn retire(mut self) -> Result<(), Error> {
        let registered = std::mem::take(self.registered.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.removed = true;
        let (kept, removed) = boundary::call_llvm(|| {
            let mut kept = ptr::null_mut();
            // SAFETY: tracker and session are alive, and each tracker is removed once. `kept` is
            // our local variable.
            let error = unsafe { llvm_orc_remove_keeping(self.raw(), &mut kept) };
            // SAFETY: what was kept belongs to this session, and we own it.
            let kept = unsafe { KeptCode::new(kept) };
            // SAFETY: we own the error.
            Ok((kept, unsafe { Error::check(error, ErrorKind::Session) }))
        })?;
        // The dylib's handle keeps the session alive.
        epochs::retire(Arc::new((registered, kept, self.dylib.clone())));
        // If no thread is inside, none will leave and do it.
        boundary::call_llvm_in_drop(|| {
            epochs::reclaim();
        });
        removed
    }

    /// Leaves what the tracker owns in the dylib until the session ends.
    pub fn keep(mut self) {
        // Releasing a tracker moves what it owns to LLVM's default tracker.
        self.removed = true;
        let registered = std::mem::take(self.registered.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.dylib.session().keep_alive(Arc::new(registered));
    }

    /// Moves what this tracker owns to another tracker. Both are then removed together.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if the other tracker belongs to another dylib. This tracker is
    /// dropped then.
    pub fn merge_into(mut self, other: &Tracker) -> Result<(), Error> {
        if self.dylib.raw() != other.dylib.raw() {
            let text = format!("tracker of another dylib: {}", other.dylib.name());
            return Err(Error::new(ErrorKind::Session, text));
        }
        self.removed = true;
        let registered = std::mem::take(self.registered.get_mut().unwrap_or_else(PoisonError::into_inner));
        other.registered.lock().unwrap_or_else(PoisonError::into_inner).extend(registered);
        boundary::call_llvm(|| {
            // SAFETY: both trackers are alive and belong to one dylib. No symbol borrows this
            // tracker.
            unsafe { LLVMOrcResourceTrackerTransferTo(self.raw(), other.raw()) };
            Ok(())
        })
    }

    fn remove_resources(&mut self) -> Result<(), Error> {
        self.removed = true;
        self.registered.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        // SAFETY: tracker and session are alive, and each tracker is removed once.
        let error = unsafe { LLVMOrcResourceTrackerRemove(self.raw()) };
        // SAFETY: we own the error.
        unsafe { Error::check(error, ErrorKind::Session) }
    }

    pub(crate) fn keep_registered(&self, registered: Pin<Box<RegisteredObject>>) {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).push(registered);
    }

    pub(crate) fn raw(&self) -> LLVMOrcResourceTrackerRef {
        self.raw.as_ptr()
    }
}

impl Dylib {
    /// Adds an object's symbols. The object is linked when one of them is first looked up.
    ///
    /// The returned tracker owns the symbols, code and memory.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if a symbol is already defined, [`ErrorKind::Object`] if the object
    /// cannot be read, [`ErrorKind::OutOfMemory`] if it cannot be copied.
    pub fn add_object(&self, object: &Object) -> Result<Tracker, Error> {
        let tracker = Tracker::new(self.clone());
        let buffer = MemoryBuffer::copy_of(object.bytes())?.into_raw();
        boundary::call_llvm(|| {
            // SAFETY: LLJIT and tracker are alive. The buffer is passed with ownership.
            let error =
                unsafe { LLVMOrcLLJITAddObjectFileWithRT(self.session().lljit(), tracker.raw(), buffer) };
            // SAFETY: we own the error.
            unsafe { Error::check(error, ErrorKind::Object) }
        })?;
        Ok(tracker)
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        boundary::call_llvm_in_drop(|| {
            if !self.removed {
                // A destructor cannot return an error. Callers that want the error call `remove`.
                let _ = self.remove_resources();
            }
            // SAFETY: our count, released once. The dylib's handle keeps the session alive.
            unsafe { LLVMOrcReleaseResourceTracker(self.raw()) };
        });
        self.dylib.session().count_removed_tracker();
    }
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").field("dylib", &self.dylib).finish_non_exhaustive()
    }
}
