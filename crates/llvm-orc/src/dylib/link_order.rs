//! Dylibs among each other: whom one links against, and taking one away. LLVM's C API knows neither.

use std::ptr::NonNull;
use std::sync::{Arc, PoisonError};

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::{LLVMOrcJITDylibRef, LLVMOrcOpaqueJITDylib};

use super::Dylib;
use crate::boundary;
use crate::error::{Error, ErrorKind};

// SAFETY: the signatures are those of `shim/session.cpp`.
unsafe extern "C" {
    fn llvm_orc_set_link_order(dylib: LLVMOrcJITDylibRef, others: *const LLVMOrcJITDylibRef, count: usize);
    fn llvm_orc_remove_dylib(dylib: LLVMOrcJITDylibRef) -> LLVMErrorRef;
    fn llvm_orc_release_dylib(dylib: LLVMOrcJITDylibRef);
}

/// The dylibs that were taken from a session. They stay in memory as long as it, because others may have them in their link
/// orders, and handles may be left.
#[derive(Debug, Default)]
pub(crate) struct RemovedDylibs(Vec<NonNull<LLVMOrcOpaqueJITDylib>>);

// SAFETY: they are only released, by the last user of the session.
unsafe impl Send for RemovedDylibs {}

impl Drop for RemovedDylibs {
    fn drop(&mut self) {
        for dylib in &self.0 {
            // SAFETY: it was retained when it was taken away, and the session is still there.
            unsafe { llvm_orc_release_dylib(dylib.as_ptr()) };
        }
    }
}

impl Dylib {
    /// Has what is linked into this dylib from now on look for names in itself first, and then in the others, in this order; a
    /// dylib that was never told looks in itself alone. What is linked already stays as it is.
    ///
    /// As within one dylib, whoever calls code sees to it that what the code refers to is still there.
    ///
    /// # Panics
    /// If one of them is of another session.
    ///
    /// # Example
    ///
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
            "dylibs link against others of their own session"
        );
        let raw: Vec<LLVMOrcJITDylibRef> = others.iter().map(|other| other.raw.as_ptr()).collect();
        // SAFETY: all are dylibs of one session that is alive, in which none is freed; they are as many as said.
        unsafe { llvm_orc_set_link_order(self.raw.as_ptr(), raw.as_ptr(), raw.len()) };
    }

    /// Takes the dylib from its session: all that is defined in it is removed, as by [`clear`](Dylib::clear), and its name is free.
    /// Where others link against it they find nothing in it. Other handles of it are good for nothing any more: what is
    /// defined through them is found by nobody else. Some hundred bytes stay as long as the session.
    ///
    /// A dylib that was removed before is left as it is.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if something in it cannot be removed.
    pub fn remove(self) -> Result<(), Error> {
        {
            let mut removed = self.session.removed_dylibs().lock().unwrap_or_else(PoisonError::into_inner);
            if removed.0.contains(&self.raw) {
                return Ok(());
            }
            removed.0.push(self.raw);
        }
        boundary::call_llvm(|| {
            // SAFETY: the dylib is one of a session that is alive, and is taken away once.
            let error = unsafe { llvm_orc_remove_dylib(self.raw.as_ptr()) };
            // SAFETY: the error is ours alone.
            unsafe { Error::check(error, ErrorKind::Session) }
        })
    }
}
