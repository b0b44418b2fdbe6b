//! Lazy reexports: a function gets a stub now and is looked up when the stub is first called.
//!
//! LLVM writes the stub, whose address never changes. At first the stub jumps to a trampoline,
//! which looks up the target function on the calling thread. Afterwards the stub jumps to the
//! target. Other threads that call the stub during the look-up wait for it.

use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, PoisonError};

use llvm_sys::orc2::lljit::LLVMOrcLLJITGetTripleString;
use llvm_sys::orc2::{
    LLVMOrcCSymbolAliasMapEntry, LLVMOrcCSymbolAliasMapPair, LLVMOrcCreateLocalIndirectStubsManager,
    LLVMOrcCreateLocalLazyCallThroughManager, LLVMOrcDisposeIndirectStubsManager,
    LLVMOrcDisposeLazyCallThroughManager, LLVMOrcLazyReexports, LLVMOrcMaterializationUnitRef,
    LLVMOrcOpaqueIndirectStubsManager, LLVMOrcOpaqueLazyCallThroughManager,
};

use crate::address::Address;
use crate::boundary;
use crate::dylib::Dylib;
use crate::error::{Error, ErrorKind, c_name};
use crate::session::Session;
use crate::symbols::{SymbolFlags, intern};

/// A session's stubs and trampolines, created at the first lazy reexport.
///
/// 1. The trampolines are disposed of before the LLJIT, because they refer to names in its pool.
///    The stubs are disposed of after the LLJIT. Materialization units refer to both and use them
///    only when they are materialized.
#[derive(Default)]
pub(crate) struct LazyReexports {
    created: Mutex<Option<StubsAndTrampolines>>,
    /// Called instead of a function that could not be materialized.
    pub(crate) on_failure: Option<Address>,
}

#[derive(Clone, Copy)]
struct StubsAndTrampolines {
    stubs: NonNull<LLVMOrcOpaqueIndirectStubsManager>,
    trampolines: NonNull<LLVMOrcOpaqueLazyCallThroughManager>,
}

// SAFETY: both have locks of their own.
unsafe impl Send for StubsAndTrampolines {}

impl LazyReexports {
    fn get_or_create(&self, session: &Session) -> Result<StubsAndTrampolines, Error> {
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(existing) = *created {
            return Ok(existing);
        }
        // SAFETY: the LLJIT is alive.
        let triple = unsafe { LLVMOrcLLJITGetTripleString(session.lljit()) };
        let on_failure = self.on_failure.unwrap_or_else(|| Address::from(abort_process as *const ()));
        let mut trampolines = ptr::null_mut();
        // SAFETY: the triple is NUL-terminated, the session is alive, and `trampolines` is our
        // local variable. The function at `on_failure` can be called in place of any reexported
        // function, which the caller of `JitBuilder::on_lazy_failure` guarantees.
        let error = unsafe {
            LLVMOrcCreateLocalLazyCallThroughManager(
                triple,
                session.raw(),
                on_failure.get(),
                &mut trampolines,
            )
        };
        // SAFETY: we own the error.
        unsafe { Error::check(error, ErrorKind::Target) }?;
        // SAFETY: the triple is NUL-terminated. LLVM supports stubs for every target with
        // trampolines.
        let stubs = unsafe { LLVMOrcCreateLocalIndirectStubsManager(triple) };
        let new = StubsAndTrampolines {
            stubs: NonNull::new(stubs).expect("LLVM returns what it created"),
            trampolines: NonNull::new(trampolines).expect("LLVM returns what it created"),
        };
        Ok(*created.insert(new))
    }
}

impl LazyReexports {
    /// Disposes of the trampolines. The session calls this function once, when no handle is left.
    pub(crate) fn dispose_of_trampolines(&mut self) {
        if let Some(created) = self.created.get_mut().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: we own the trampolines and dispose of them once. No symbol is looked up or
            // materialized any more.
            unsafe { LLVMOrcDisposeLazyCallThroughManager(created.trampolines.as_ptr()) };
        }
    }
}

impl Drop for LazyReexports {
    fn drop(&mut self) {
        if let Some(created) = self.created.get_mut().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: we own the stubs and dispose of them once. No unit refers to them, by promise
            // 1.
            unsafe { LLVMOrcDisposeIndirectStubsManager(created.stubs.as_ptr()) };
        }
    }
}

/// Default of `JitBuilder::on_lazy_failure`. Cannot return, because the caller expects a result of
/// unknown type. The session's reporter has received the reason.
extern "C" fn abort_process() {
    std::process::abort();
}

impl fmt::Debug for LazyReexports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyReexports").field("on_failure", &self.on_failure).finish_non_exhaustive()
    }
}

impl Dylib {
    /// Defines stubs for functions of `source`. A function is looked up, and with that compiled or
    /// materialized, when its stub is first called. Each pair is a name in this dylib and a name in
    /// `source`.
    ///
    /// The address of a stub never changes, and neither does its target after the first call: the
    /// stub must not be called after the target was removed.
    ///
    /// If a function cannot be materialized, the session's reporter receives the error, and the
    /// function set by [`JitBuilder::on_lazy_failure`](crate::JitBuilder::on_lazy_failure) is
    /// called. Without such a function, the process aborts.
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
        let created = boundary::call_llvm(|| self.session().lazy_reexports().get_or_create(self.session()))?;
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
