//! Link order between dylibs, and removal of dylibs. LLVM's C API supports neither.

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, PoisonError};

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::LLVMOrcJITDylibRef;

use super::Dylib;
use crate::boundary;
use crate::code_lease::KeptCode;
use crate::error::{Error, ErrorKind};
use crate::out_of_memory::InsideLlvm;

// SAFETY: the signatures are those of `shim/session.cpp`.
unsafe extern "C" {
    fn llvm_orc_set_link_order(dylib: LLVMOrcJITDylibRef, others: *const LLVMOrcJITDylibRef, count: usize);
    fn llvm_orc_remove_dylib(dylib: LLVMOrcJITDylibRef, kept: *mut *mut c_void) -> LLVMErrorRef;
}

impl Dylib {
    /// Sets the link order: objects that are linked from now on find names first in this dylib,
    /// then in `others`, in this order. Without a link order, a dylib finds names only in itself.
    /// Objects that are already linked do not change, and keep the code that they were linked to.
    ///
    /// # Panics
    /// If one of `others` belongs to another session.
    ///
    /// # Example
    #[cfg_attr(feature = "inkwell", doc = "```")]
    #[cfg_attr(not(feature = "inkwell"), doc = "```ignore")]
    /// # use llvm_orc::Jit;
    /// let jit = Jit::builder().build()?;
    /// let [library, program] = ["library", "program"].map(|name| jit.create_bare_dylib(name));
    /// program?.link_against(&[&library?]);
    /// # Ok::<(), llvm_orc::Error>(())
    /// ```
    pub fn link_against(&self, others: &[&Dylib]) {
        assert!(
            others.iter().all(|other| Arc::ptr_eq(&other.session, &self.session)),
            "a dylib links only against dylibs of its own session"
        );
        let raw: Vec<LLVMOrcJITDylibRef> = others.iter().map(|other| other.raw.as_ptr()).collect();
        let _inside = InsideLlvm::enter();
        // SAFETY: all dylibs belong to one session, which is alive and frees none. The array has
        // `len` elements.
        unsafe { llvm_orc_set_link_order(self.raw.as_ptr(), raw.as_ptr(), raw.len()) };
    }

    /// Removes the dylib from its session: removes its symbols, as [`clear`](Dylib::clear) does,
    /// and frees its name.
    ///
    /// Dylibs that link against a removed dylib find no symbols in it. Other handles remain valid
    /// but useless: no other dylib finds what they define.
    ///
    /// 8 to 10 KiB stay allocated until the session ends: LLVM's tables of a dylib keep their memory
    /// when they are emptied, and the dylib itself stays, because link orders refer to it without
    /// counting. A program that needs many dylibs for a short time keeps them in a pool: when all
    /// trackers of a dylib are removed, it is empty and can be used again.
    ///
    /// Functions that borrow a [`Tracker`](crate::Tracker) of the dylib can still be called: the
    /// code of the dylib stays in memory until its last tracker ends.
    ///
    /// Removing a dylib twice has no effect.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if a symbol cannot be removed.
    pub fn remove(self) -> Result<(), Error> {
        let removed_dylibs = self.session.removed_dylibs();
        // SAFETY: the dylib is removed below if it is new, and the session owns the list.
        let is_new =
            unsafe { removed_dylibs.lock().unwrap_or_else(PoisonError::into_inner).insert(self.raw) };
        if !is_new {
            return Ok(());
        }
        let lease = self.session.lease_if_any(self.raw.as_ptr());
        boundary::call_llvm(|| {
            let mut kept = ptr::null_mut();
            let to_keep = if lease.is_some() { &raw mut kept } else { ptr::null_mut() };
            // SAFETY: the dylib's session is alive, and the dylib is removed once. `to_keep` is
            // null or our local variable.
            let error = unsafe { llvm_orc_remove_dylib(self.raw.as_ptr(), to_keep) };
            if let Some(lease) = &lease {
                // SAFETY: what was kept belongs to this session, and we own it.
                lease.keep(unsafe { KeptCode::new(kept) });
            }
            // SAFETY: we own the error.
            unsafe { Error::check(error, ErrorKind::Session) }
        })
    }
}
