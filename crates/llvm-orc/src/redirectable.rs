//! Redirectable functions: stubs that can be pointed at other code while threads call them.
//!
//! In LLVM's terms, a redirectable symbol. LLVM's `RedirectableSymbolManager::redirect` looks the
//! stub's pointer up by name, and leaves it to the program when the former code can be removed.
//! Here redirecting is a store, and the former code is retired: it is removed when no thread can be
//! inside of it (see `epochs.rs`).

use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::LLVMOrcResourceTrackerRef;
use llvm_sys::orc2::lljit::LLVMOrcLLJITRef;

use crate::address::{Address, Function};
use crate::boundary;
use crate::dylib::Dylib;
use crate::epochs::{self, Owner};
use crate::error::{Error, ErrorKind, c_name};
use crate::owned_symbol::OwnedSymbol;
use crate::tracker::Tracker;

// SAFETY: the signature is that of `shim/session.cpp`.
unsafe extern "C" {
    fn llvm_orc_define_redirectable(
        lljit: LLVMOrcLLJITRef,
        tracker: LLVMOrcResourceTrackerRef,
        name: *const std::ffi::c_char,
        pointer_name: *const std::ffi::c_char,
        target: u64,
    ) -> LLVMErrorRef;
}

/// A function whose code can be replaced while threads call it.
///
/// Other objects of the dylib call the function by its name, which is that of a stub with a
/// constant address. Clones share the stub. When the last one is dropped, the name is free. Code
/// that was linked to the stub must not call it any more: the process aborts if it does.
pub struct Redirectable<F> {
    stub: Arc<Stub>,
    function: PhantomData<F>,
}

impl<F: Function> Redirectable<F> {
    /// Calls the function that the stub leads to, with a tuple of arguments.
    pub fn call(&self, arguments: F::Arguments) -> F::Output {
        let _inside = epochs::enter();
        // SAFETY: whoever created the stub promised the type, and all targets have it. The stub
        // lives as long as `self`, and its target as long as this thread is inside.
        unsafe { F::from_address(self.stub.address) }.call(arguments)
    }

    /// Points the stub at another function. Calls that begin afterwards run it. Calls that are
    /// running end in the former code. It is removed when a call by this crate ends and no thread
    /// can be inside of it any more, or by [`Jit::reclaim`](crate::Jit::reclaim), if nothing else
    /// owns it.
    pub fn redirect(&self, target: &OwnedSymbol<F>) {
        self.stub.redirect(target.address(), Arc::clone(target.tracker()) as Owner);
    }

    /// The stub's address, which never changes. What a caller by address must know is said at
    /// [`Tracker::lookup_fn`].
    #[must_use]
    pub fn address(&self) -> Address {
        self.stub.address
    }

    /// The address that the stub leads to.
    #[must_use]
    pub fn target(&self) -> Address {
        self.stub.target()
    }

    pub(crate) fn from_stub(stub: Arc<Stub>) -> Self {
        Self { stub, function: PhantomData }
    }
}

impl Dylib {
    /// Defines `name` as a stub that leads to a function, and that can be pointed at others.
    ///
    /// # Errors
    /// - [`ErrorKind::Duplicate`] if the name is already defined.
    /// - [`ErrorKind::Name`] if the name contains a NUL character.
    /// - [`ErrorKind::Session`] if LLVM has no stubs for this architecture.
    ///
    /// # Safety
    /// `target` must be safe to call as long as it is reachable by the stub, and so must each
    /// function that the stub is pointed at. Code that calls the stub must be called by a function
    /// of this crate ([`Symbol::call`](crate::Symbol::call),
    /// [`OwnedSymbol::call`](crate::OwnedSymbol::call), [`Redirectable::call`]): only then it is
    /// known that a thread is inside.
    pub unsafe fn define_redirectable<F: Function>(
        &self,
        name: &str,
        target: &OwnedSymbol<F>,
    ) -> Result<Redirectable<F>, Error> {
        let owner = Arc::clone(target.tracker()) as Owner;
        Ok(Redirectable::from_stub(Arc::new(Stub::define(self, name, target.address(), owner)?)))
    }
}

/// A stub and what it leads to.
pub(crate) struct Stub {
    address: Address,
    /// The pointer that the stub jumps through, in memory of the tracker.
    pointer: NonNull<AtomicU64>,
    /// Keeps the code that the pointer leads to. Locked while the pointer changes.
    owner: Mutex<Option<Owner>>,
    /// `None` after it was retired.
    tracker: Option<Tracker>,
}

// SAFETY: the pointer leads to an atomic number that lives as long as the tracker.
unsafe impl Send for Stub {}
// SAFETY: as above. The rest has a lock or does not change.
unsafe impl Sync for Stub {}

impl Stub {
    pub(crate) fn define(dylib: &Dylib, name: &str, target: Address, owner: Owner) -> Result<Self, Error> {
        let tracker = Tracker::new(dylib.clone());
        let pointer_name = format!("{name}$stub_pointer");
        let (c_string, c_pointer) = (c_name(name)?, c_name(&pointer_name)?);
        boundary::call_llvm(|| {
            // SAFETY: LLJIT and tracker are alive, and the names are NUL-terminated.
            let error = unsafe {
                llvm_orc_define_redirectable(
                    dylib.session().lljit(),
                    tracker.raw(),
                    c_string.as_ptr(),
                    c_pointer.as_ptr(),
                    target.get(),
                )
            };
            // SAFETY: we own the error.
            unsafe { Error::check(error, ErrorKind::Session) }
        })?;
        let address = tracker.lookup(name)?;
        let pointer = tracker.lookup(&pointer_name)?.as_ptr::<AtomicU64>().cast_mut();
        let pointer = NonNull::new(pointer).expect("a linked symbol has an address");
        Ok(Self { address, pointer, owner: Mutex::new(Some(owner)), tracker: Some(tracker) })
    }

    fn pointer(&self) -> &AtomicU64 {
        // SAFETY: the pointer is aligned and belongs to the tracker, which lives as long as `self`.
        // Everyone accesses it atomically.
        unsafe { self.pointer.as_ref() }
    }

    pub(crate) fn redirect(&self, target: Address, owner: Owner) {
        let mut current = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        self.pointer().store(target.get(), Ordering::Release);
        let former = current.replace(owner);
        drop(current);
        former.into_iter().for_each(epochs::retire);
    }

    pub(crate) fn target(&self) -> Address {
        Address::new(self.pointer().load(Ordering::Acquire))
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        // Code that is linked to the stub keeps it in memory, but not what the stub leads to.
        self.pointer().store(Address::from(called_without_target as *const ()).get(), Ordering::Release);
        self.owner
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .into_iter()
            .for_each(epochs::retire);
        if let Some(tracker) = self.tracker.take() {
            // A destructor cannot return an error.
            let _ = tracker.retire();
        }
    }
}

/// What a stub leads to after the last [`Redirectable`] was dropped. Cannot return, because the
/// caller expects a result of unknown type.
extern "C" fn called_without_target() {
    std::process::abort();
}

impl<F> Clone for Redirectable<F> {
    fn clone(&self) -> Self {
        Self { stub: Arc::clone(&self.stub), function: PhantomData }
    }
}

impl<F> fmt::Debug for Redirectable<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redirectable").field("address", &self.stub.address).finish_non_exhaustive()
    }
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stub").field("address", &self.address).finish_non_exhaustive()
    }
}
