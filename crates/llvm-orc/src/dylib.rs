//! Dylibs: the namespaces of a session, where symbols are defined and looked up.

#[cfg(feature = "shim")]
mod link_order;

use std::ffi::c_void;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::{
    LLVMJITEvaluatedSymbol, LLVMJITSymbolFlags, LLVMJITSymbolGenericFlags, LLVMOrcAbsoluteSymbols,
    LLVMOrcCJITDylibSearchOrderElement, LLVMOrcCLookupSetElement, LLVMOrcCSymbolMapPair,
    LLVMOrcCSymbolMapPairs, LLVMOrcDisposeMaterializationUnit, LLVMOrcExecutionSessionLookup,
    LLVMOrcJITDylibClear, LLVMOrcJITDylibDefine, LLVMOrcJITDylibLookupFlags, LLVMOrcLookupKind,
    LLVMOrcMaterializationUnitRef, LLVMOrcOpaqueJITDylib, LLVMOrcSymbolLookupFlags,
};

use crate::address::{Address, Function, Symbol};
use crate::boundary;
use crate::error::{Error, ErrorKind, c_name};
#[cfg(feature = "shim")]
use crate::failed_symbols;
use crate::out_of_memory::InsideLlvm;
use crate::reentrancy::{self, Answer};
use crate::session::Session;
use crate::symbols::intern;

/// Namespace of a session: symbols are defined in a dylib and looked up by name.
///
/// A `Dylib` is a cheap handle that keeps the session alive. Threads may call all methods
/// concurrently.
///
/// Names are linker names. They include the prefix character where the platform's linker uses one,
/// as on macOS.
#[derive(Clone)]
pub struct Dylib {
    session: Arc<Session>,
    raw: NonNull<LLVMOrcOpaqueJITDylib>,
    name: Arc<str>,
}

// SAFETY: promise 3 of the session. The pointer is valid on every thread while the session lives,
// and the handle keeps the session alive.
unsafe impl Send for Dylib {}
// SAFETY: as above.
unsafe impl Sync for Dylib {}

impl Dylib {
    /// # Safety
    /// `raw` is a dylib of `session` and stays in memory as long as the session.
    pub(crate) unsafe fn new(
        session: Arc<Session>,
        raw: NonNull<LLVMOrcOpaqueJITDylib>,
        name: &str,
    ) -> Dylib {
        Dylib { session, raw, name: name.into() }
    }

    /// The name given at creation.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Defines symbols at existing addresses: functions and data of the process for the objects of
    /// this dylib. Objects cannot reach anything else of the process by name.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if a name is already defined, and then no name is;
    /// [`ErrorKind::Name`] if a name contains a NUL character.
    ///
    /// # Safety
    /// Each address must be that of a function or datum of the type that the code expects. The
    /// function or datum must live as long as code that uses the name can run.
    pub unsafe fn define_absolute<'a>(
        &self,
        symbols: impl IntoIterator<Item = (&'a str, Address)>,
    ) -> Result<(), Error> {
        let named = symbols
            .into_iter()
            .map(|(name, address)| Ok((c_name(name)?, address)))
            .collect::<Result<Vec<_>, Error>>()?;
        let mut pairs: Vec<LLVMOrcCSymbolMapPair> = named
            .iter()
            .map(|(name, address)| LLVMOrcCSymbolMapPair {
                Name: intern(&self.session, name),
                Sym: LLVMJITEvaluatedSymbol { Address: address.get(), Flags: EXPORTED },
            })
            .collect();
        let _inside = InsideLlvm::enter();
        // SAFETY: the array has `len` pairs. Each name is passed with one reference count.
        let unit = unsafe { LLVMOrcAbsoluteSymbols(pairs.as_mut_ptr(), pairs.len()) };
        // SAFETY: we own the unit.
        unsafe { self.define(unit) }
    }

    /// Removes all symbols of this dylib, including those that trackers own.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if memory could not be freed.
    ///
    /// # Safety
    /// No code of this dylib may run or be called afterwards, not even by a [`Symbol`] that was
    /// looked up before.
    pub unsafe fn clear(&self) -> Result<(), Error> {
        boundary::call_llvm(|| {
            // SAFETY: the dylib lives as long as the session.
            let error = unsafe { LLVMOrcJITDylibClear(self.raw.as_ptr()) };
            // SAFETY: we own the error.
            unsafe { Error::check(error, ErrorKind::Session) }
        })
    }

    /// Defines the symbols of a materialization unit, owned by the dylib's default tracker.
    ///
    /// # Safety
    /// The caller owns the unit and passes ownership.
    pub(crate) unsafe fn define(&self, unit: LLVMOrcMaterializationUnitRef) -> Result<(), Error> {
        boundary::call_llvm(|| {
            // SAFETY: the dylib lives as long as the session. The caller owns the unit.
            let error = unsafe { LLVMOrcJITDylibDefine(self.raw.as_ptr(), unit) };
            // SAFETY: we own the error.
            let defined = unsafe { Error::check(error, ErrorKind::Session) };
            if defined.is_err() {
                // SAFETY: LLVM does not take ownership of a unit that it cannot define.
                unsafe { LLVMOrcDisposeMaterializationUnit(unit) };
            }
            defined
        })
    }

    /// Looks up a symbol's address. A symbol that is not linked yet is linked on this thread,
    /// unless another thread is already linking it. Then this thread waits.
    ///
    /// The address is valid until the tracker that owns the symbol is removed.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`] if the symbol is not defined.
    /// - [`ErrorKind::Link`] if the symbol cannot be linked. The error names the symbols that are
    ///   undefined, and its source says why, if a look-up of the symbol tried to link it.
    /// - [`ErrorKind::Name`] if the name contains a NUL character.
    /// - [`ErrorKind::Session`] if the look-up would wait for itself: this thread is materializing
    ///   the symbol or is generating symbols for this dylib, or what it is materializing or
    ///   generating is needed for the symbol, by other threads or by links.
    pub fn lookup(&self, name: &str) -> Result<Address, Error> {
        reentrancy::check_look_up(self.raw.as_ptr(), name)?;
        let name_text = name;
        let name = c_name(name)?;
        let mut order = LLVMOrcCJITDylibSearchOrderElement {
            JD: self.raw.as_ptr(),
            JDLookupFlags: LLVMOrcJITDylibLookupFlags::LLVMOrcJITDylibLookupFlagsMatchAllSymbols,
        };
        let mut symbol = LLVMOrcCLookupSetElement {
            Name: intern(&self.session, &name),
            LookupFlags: LLVMOrcSymbolLookupFlags::LLVMOrcSymbolLookupFlagsRequiredSymbol,
        };
        let lookup = Arc::new(LookupResult::default());
        let result = boundary::call_llvm(|| {
            // SAFETY: both arrays have one element, and LLVM copies them during the call. The name
            // is passed with one reference count. LLVM calls the handler once, and the handler
            // takes over the `Arc` count created for it.
            unsafe {
                LLVMOrcExecutionSessionLookup(
                    self.session.raw(),
                    LLVMOrcLookupKind::LLVMOrcLookupKindStatic,
                    &mut order,
                    1,
                    &mut symbol,
                    1,
                    receive_lookup_result,
                    Arc::into_raw(Arc::clone(&lookup)).cast_mut().cast(),
                );
            }
            lookup.wait(self.raw.as_ptr(), name_text)
        });
        result.map_err(|error| self.session.reports().explain(self.raw.addr().get(), name_text, error))
    }

    /// Looks up a function by name and type, for code that is never removed. For other code, use
    /// [`Tracker::lookup_fn`](crate::Tracker::lookup_fn), which asks less of its caller.
    ///
    /// # Errors
    /// As [`lookup`](Dylib::lookup).
    ///
    /// # Safety
    /// The symbol must be a function of type `F` that is safe to call with any arguments of that
    /// type. While the result lives, its code must not be removed, and if it is a stub, neither
    /// must the code behind the stub. The rest is as for
    /// [`Tracker::lookup_fn`](crate::Tracker::lookup_fn).
    pub unsafe fn lookup_fn<F: Function>(&self, name: &str) -> Result<Symbol<'_, F>, Error> {
        let address = self.lookup(name)?;
        // SAFETY: guaranteed by the caller. The result borrows this handle, which keeps the session
        // alive.
        Ok(unsafe { Symbol::new(address) })
    }

    pub(crate) fn shared_session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn raw(&self) -> *mut LLVMOrcOpaqueJITDylib {
        self.raw.as_ptr()
    }
}

impl fmt::Debug for Dylib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dylib").field("name", &self.name).finish_non_exhaustive()
    }
}

const EXPORTED: LLVMJITSymbolFlags = LLVMJITSymbolFlags {
    GenericFlags: LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsExported as u8
        | LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsCallable as u8,
    TargetFlags: 0,
};

/// Result of a look-up, sent by this thread or by the thread that links the symbol.
#[derive(Default)]
struct LookupResult {
    /// Taken by the thread that waits.
    result: Mutex<Option<Result<Address, Error>>>,
    has_arrived: AtomicBool,
    ready: Condvar,
}

impl LookupResult {
    /// Waits for the result of the look-up of `name` in `dylib`.
    fn wait(self: &Arc<Self>, dylib: *mut LLVMOrcOpaqueJITDylib, name: &str) -> Result<Address, Error> {
        if let Some(result) = self.lock().take() {
            return result;
        }
        let _waiting = reentrancy::begin_wait(dylib, name, Arc::clone(self) as Arc<dyn Answer>);
        let mut result = self.lock();
        loop {
            match result.take() {
                Some(result) => return result,
                None => result = self.ready.wait(result).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Ends the look-up, unless it has ended.
    fn set(&self, result: Result<Address, Error>) {
        let mut place = self.lock();
        if !self.has_arrived.swap(true, Ordering::AcqRel) {
            *place = Some(result);
            self.ready.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Result<Address, Error>>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer for LookupResult {
    fn is_there(&self) -> bool {
        self.has_arrived.load(Ordering::Acquire)
    }

    fn fail(&self, error: Error) {
        self.set(Err(error));
    }
}

extern "C" fn receive_lookup_result(
    error: LLVMErrorRef,
    found: LLVMOrcCSymbolMapPairs,
    _n_found: usize,
    context: *mut c_void,
) {
    boundary::catch_panic(|| {
        // SAFETY: `lookup` created this count for this one call.
        let lookup = unsafe { Arc::from_raw(context.cast_const().cast::<LookupResult>()) };
        #[cfg(feature = "shim")]
        // SAFETY: the error is null or alive.
        let failed = unsafe { failed_symbols::of_error(error) };
        // SAFETY: the handler owns the error.
        let checked = unsafe { Error::check(error, ErrorKind::Link) };
        #[cfg(feature = "shim")]
        let checked = checked.map_err(|error| error.with_failed_symbols(failed));
        let result = checked.map(|()| {
            // SAFETY: without an error there is one pair, because the look-up was for one name.
            Address::new(unsafe { ptr::read(found) }.Sym.Address)
        });
        lookup.set(result);
    });
}
