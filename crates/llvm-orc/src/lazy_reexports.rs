//! Lazy reexports: functions that are defined under a name now and made when they are first called.
//!
//! LLVM writes a stub for each, whose address never changes. It jumps first to a trampoline, which looks up the
//! function's target, on the thread that calls, and then to the target. Threads that lose the race wait for the winner.

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

/// A session's stubs and trampolines, made when they are first needed.
///
/// 1. The trampolines are disposed of before the LLJIT, because they hold names of its pool; the stubs after it. Units refer
///    to both, and use them only when they are materialized.
#[derive(Default)]
pub(crate) struct LazyReexportManagers {
    made: Mutex<Option<Managers>>,
    /// Called in place of a function that could not be made.
    pub(crate) on_failure: Option<Address>,
}

#[derive(Clone, Copy)]
struct Managers {
    stubs: NonNull<LLVMOrcOpaqueIndirectStubsManager>,
    calls: NonNull<LLVMOrcOpaqueLazyCallThroughManager>,
}

// SAFETY: both lock themselves.
unsafe impl Send for Managers {}

impl LazyReexportManagers {
    fn get_or_create(&self, session: &Session) -> Result<Managers, Error> {
        let mut place = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = *place {
            return Ok(made);
        }
        // SAFETY: the LLJIT is alive.
        let triple = unsafe { LLVMOrcLLJITGetTripleString(session.lljit()) };
        let on_failure = self.on_failure.unwrap_or_else(|| Address::from(abort_process as *const ()));
        let mut calls = ptr::null_mut();
        // SAFETY: the triple is ended by NUL, the session alive, `calls` a place of ours; the address is that of a function
        // that can be called in place of any other, by the promise of `JitBuilder::on_lazy_failure`.
        let error = unsafe {
            LLVMOrcCreateLocalLazyCallThroughManager(triple, session.raw(), on_failure.get(), &mut calls)
        };
        // SAFETY: the error is ours alone.
        unsafe { Error::check(error, ErrorKind::Target) }?;
        // SAFETY: the triple is ended by NUL. LLVM has stubs for each machine that it has trampolines for.
        let stubs = unsafe { LLVMOrcCreateLocalIndirectStubsManager(triple) };
        let made = Managers {
            stubs: NonNull::new(stubs).expect("LLVM gives back what it made"),
            calls: NonNull::new(calls).expect("LLVM gives back what it made"),
        };
        Ok(*place.insert(made))
    }
}

impl LazyReexportManagers {
    /// Gives the trampolines up. The session calls it once, when no handle of it is left.
    pub(crate) fn dispose_call_through_manager(&mut self) {
        if let Some(made) = self.made.get_mut().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: ours, given back once; no symbol is looked up or materialized any more.
            unsafe { LLVMOrcDisposeLazyCallThroughManager(made.calls.as_ptr()) };
        }
    }
}

impl Drop for LazyReexportManagers {
    fn drop(&mut self) {
        if let Some(made) = self.made.get_mut().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: ours, given back once; the units that refer to it are gone by promise 1.
            unsafe { LLVMOrcDisposeIndirectStubsManager(made.stubs.as_ptr()) };
        }
    }
}

/// Called in place of a function that could not be made, when nothing else was said. It cannot return, because it does not
/// know what to; the session's reporter has been told why.
extern "C" fn abort_process() {
    std::process::abort();
}

impl fmt::Debug for LazyReexportManagers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyReexportManagers").field("on_failure", &self.on_failure).finish_non_exhaustive()
    }
}

impl Dylib {
    /// Defines functions by name, each as a stub for a function of `source`, which is looked up, and with that compiled or
    /// materialized, when the stub is first called. The pairs are a name here and the name there.
    ///
    /// A stub's address stays the same, and it leads to what it has found once: it must not be called after that was removed.
    /// When a function cannot be made, the session's reporter gets the error and
    /// what [`JitBuilder::on_lazy_failure`](crate::JitBuilder::on_lazy_failure) has set is called in its place; if
    /// nothing was set, the process is aborted.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if a name is defined already, and then none of them is defined; [`ErrorKind::Name`] if a
    /// name holds a NUL character; [`ErrorKind::Session`] if `source` belongs to another session;
    /// [`ErrorKind::Target`] if LLVM has no stubs for this machine.
    pub fn reexport_lazily<'a>(
        &self,
        source: &Dylib,
        functions: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Error> {
        let unit = self.lazy_reexports(source, functions)?;
        // SAFETY: the unit is ours alone, and its names are free of counts to others.
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
        let made = boundary::call_llvm(|| self.session().lazy_reexports().get_or_create(self.session()))?;
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
        // SAFETY: all are alive as long as the session; the pairs are as many as said, their names are given over.
        Ok(unsafe {
            LLVMOrcLazyReexports(
                made.calls.as_ptr(),
                made.stubs.as_ptr(),
                source.raw(),
                pairs.as_mut_ptr(),
                pairs.len(),
            )
        })
    }
}
