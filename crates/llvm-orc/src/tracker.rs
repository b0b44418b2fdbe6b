//! Trackers: who owns what was added to a dylib.

use std::fmt;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use llvm_sys::orc2::{
    LLVMOrcJITDylibCreateResourceTracker, LLVMOrcOpaqueResourceTracker, LLVMOrcReleaseResourceTracker,
    LLVMOrcResourceTrackerRef, LLVMOrcResourceTrackerRemove, LLVMOrcResourceTrackerTransferTo,
};

use crate::address::{Address, Function, Symbol};
use crate::boundary;
use crate::dylib::Dylib;
use crate::error::{Error, ErrorKind};
use crate::gdb::RegisteredObject;

/// Owns what one [`Dylib::add_object`] added: its symbols, its code, its memory.
///
/// Dropping it removes them, [`remove`](Tracker::remove) does so and tells of errors. Code that is running then,
/// or that is called by its address later, is the business of whoever promised otherwise in an `unsafe` block.
#[must_use = "dropping the tracker removes what it owns"]
pub struct Tracker {
    dylib: Dylib,
    raw: NonNull<LLVMOrcOpaqueResourceTracker>,
    removed: bool,
    /// What a debugger sees of its code.
    registered: Mutex<Vec<Pin<Box<RegisteredObject>>>>,
}

// SAFETY: trackers are counted atomically and used under the session's lock (promise 3); the dylib's handle keeps
// the session alive on whatever thread this goes to.
unsafe impl Send for Tracker {}
// SAFETY: `&Tracker` gives no more than looking up, and a list with a lock.
unsafe impl Sync for Tracker {}

impl Tracker {
    pub(crate) fn new(dylib: Dylib) -> Tracker {
        // SAFETY: the dylib is alive; the tracker comes with a count that is ours.
        let raw = unsafe { LLVMOrcJITDylibCreateResourceTracker(dylib.raw()) };
        let raw = NonNull::new(raw).expect("LLVM gives back the tracker it made");
        dylib.session().count_tracker();
        Tracker { dylib, raw, removed: false, registered: Mutex::default() }
    }

    /// The dylib it was added to.
    #[must_use]
    pub fn dylib(&self) -> &Dylib {
        &self.dylib
    }

    /// As [`Dylib::lookup`], in the dylib this was added to.
    ///
    /// # Errors
    /// As [`Dylib::lookup`].
    pub fn lookup(&self, name: &str) -> Result<Address, Error> {
        self.dylib.lookup(name)
    }

    /// A function that this tracker owns, by name and type. The result borrows the tracker, so the code cannot be
    /// removed while it can be called.
    ///
    /// # Errors
    /// As [`Dylib::lookup`].
    ///
    /// # Safety
    /// The symbol must come from the object that this tracker owns, be a function of type `F`, and be safe to call
    /// with any arguments of that type.
    pub unsafe fn lookup_fn<F: Function>(&self, name: &str) -> Result<Symbol<'_, F>, Error> {
        let address = self.dylib.lookup(name)?;
        // SAFETY: the caller's promise, for as long as the borrow keeps this tracker from being removed.
        Ok(unsafe { Symbol::new(address) })
    }

    /// Removes what it owns. The names are free again afterwards, also after an error.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if memory could not be given back.
    pub fn remove(mut self) -> Result<(), Error> {
        boundary::call_llvm(|| self.remove_resources())
    }

    /// Leaves what it owns in the dylib, for as long as the session lives.
    pub fn keep(mut self) {
        // LLVM's default tracker takes over what a tracker owns that nobody holds any more.
        self.removed = true;
        let registered = std::mem::take(self.registered.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.dylib.session().keep_alive(Arc::new(registered));
    }

    /// Makes another tracker the owner of what this one owns: they are removed together from now on.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if the other belongs to another dylib; this one is dropped then.
    pub fn merge_into(mut self, other: &Tracker) -> Result<(), Error> {
        if self.dylib.raw() != other.dylib.raw() {
            let text = format!("tracker of another dylib: {}", other.dylib.name());
            return Err(Error::new(ErrorKind::Session, text));
        }
        self.removed = true;
        let registered = std::mem::take(self.registered.get_mut().unwrap_or_else(PoisonError::into_inner));
        other.registered.lock().unwrap_or_else(PoisonError::into_inner).extend(registered);
        boundary::call_llvm(|| {
            // SAFETY: both are alive and of one dylib; what was looked up by this one is borrowed no more.
            unsafe { LLVMOrcResourceTrackerTransferTo(self.raw(), other.raw()) };
            Ok(())
        })
    }

    fn remove_resources(&mut self) -> Result<(), Error> {
        self.removed = true;
        self.registered.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        // SAFETY: the tracker and its session are alive, and this is done once.
        let error = unsafe { LLVMOrcResourceTrackerRemove(self.raw()) };
        // SAFETY: the error is ours alone.
        unsafe { Error::check(error, ErrorKind::Session) }
    }

    pub(crate) fn keep_registered(&self, registered: Pin<Box<RegisteredObject>>) {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).push(registered);
    }

    pub(crate) fn raw(&self) -> LLVMOrcResourceTrackerRef {
        self.raw.as_ptr()
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        boundary::call_llvm_in_drop(|| {
            if !self.removed {
                // A destructor has nobody to tell: whoever wants to know calls `remove`.
                let _ = self.remove_resources();
            }
            // SAFETY: our count, given back once, while the dylib's handle still keeps the session alive.
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
