//! Lazy reexports: a function gets a stub now and is looked up when the stub is first called.
//!
//! LLVM writes the stub, whose address never changes. At first the stub jumps to a trampoline,
//! which looks up the target function on the calling thread. Afterwards the stub jumps to the
//! target. Other threads that call the stub during the look-up wait for it.

use llvm_sys::orc2::{
    LLVMOrcCSymbolAliasMapEntry, LLVMOrcCSymbolAliasMapPair, LLVMOrcLazyReexports,
    LLVMOrcMaterializationUnitRef,
};

use crate::boundary;
use crate::dylib::Dylib;
use crate::error::{Error, ErrorKind, c_name};
use crate::out_of_memory::InsideLlvm;
use crate::symbols::{SymbolFlags, intern};

impl Dylib {
    /// Defines stubs for functions of `source`. A function is looked up, and with that compiled or
    /// materialized, when its stub is first called. Each pair is a name in this dylib and a name in
    /// `source`.
    ///
    /// The address of a stub never changes, and neither does its target after the first call: the
    /// stub must not be called after the target was removed.
    ///
    /// If a function cannot be materialized, the session's reporter receives the error. With the
    /// feature `shim`, the closure set by
    #[cfg_attr(feature = "shim", doc = "[`JitBuilder::on_lazy_failure`](crate::JitBuilder::on_lazy_failure)")]
    #[cfg_attr(not(feature = "shim"), doc = "`JitBuilder::on_lazy_failure`")]
    /// gets the name and the reason, and chooses the function that is called instead. Otherwise the
    /// process aborts.
    ///
    /// # Errors
    /// - [`ErrorKind::Duplicate`] if a name is already defined, and then no name is.
    /// - [`ErrorKind::Name`] if a name contains a NUL character.
    /// - [`ErrorKind::Session`] if `source` belongs to another session.
    /// - [`ErrorKind::Target`] if LLVM has no stubs for this architecture.
    pub fn reexport_lazily<'a>(
        &self,
        source: &Dylib,
        functions: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Error> {
        let unit = self.lazy_reexports(source, functions)?;
        // SAFETY: we own the unit.
        unsafe { self.define(unit) }
    }

    fn lazy_reexports<'a>(
        &self,
        source: &Dylib,
        functions: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<LLVMOrcMaterializationUnitRef, Error> {
        if !std::ptr::eq(self.session(), source.session()) {
            return Err(Error::new(
                ErrorKind::Session,
                format!("dylib of another session: {}", source.name()),
            ));
        }
        let named = functions
            .into_iter()
            .map(|(name, target)| Ok((c_name(name)?, c_name(target)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        let created = boundary::call_llvm(|| self.session().stubs())?;
        let mut pairs: Vec<LLVMOrcCSymbolAliasMapPair> = named
            .iter()
            .map(|(name, target)| LLVMOrcCSymbolAliasMapPair {
                Name: intern(self.session(), name),
                Entry: LLVMOrcCSymbolAliasMapEntry {
                    Name: intern(self.session(), target),
                    Flags: SymbolFlags::FUNCTION.raw(),
                },
            })
            .collect();
        let _inside = InsideLlvm::enter();
        // SAFETY: all live as long as the session. The array has `len` pairs, and each name is
        // passed with one reference count.
        Ok(unsafe {
            LLVMOrcLazyReexports(
                created.trampolines.as_ptr(),
                created.stubs.as_ptr(),
                source.raw(),
                pairs.as_mut_ptr(),
                pairs.len(),
            )
        })
    }
}
