//! Materialization responsibility: the duty to define symbols that look-ups wait for.
//!
//! A unit that returns an error drops its responsibility before the error is known. Therefore a
//! responsibility that is dropped by its own unit fails when the unit has returned, with the unit's
//! error.

use std::cell::RefCell;
use std::ffi::CString;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::lljit::LLVMOrcLLJITGetObjLinkingLayer;
use llvm_sys::orc2::{
    LLVMJITEvaluatedSymbol, LLVMOrcCSymbolMapPair, LLVMOrcDisposeCSymbolFlagsMap,
    LLVMOrcDisposeMaterializationResponsibility, LLVMOrcDisposeSymbols,
    LLVMOrcMaterializationResponsibilityDefineMaterializing, LLVMOrcMaterializationResponsibilityDelegate,
    LLVMOrcMaterializationResponsibilityFailMaterialization,
    LLVMOrcMaterializationResponsibilityGetRequestedSymbols, LLVMOrcMaterializationResponsibilityGetSymbols,
    LLVMOrcMaterializationResponsibilityNotifyEmitted, LLVMOrcMaterializationResponsibilityNotifyResolved,
    LLVMOrcMaterializationResponsibilityRef, LLVMOrcObjectLayerEmit,
    LLVMOrcOpaqueMaterializationResponsibility,
};

use crate::address::Address;
use crate::boundary;
use crate::dylib::Dylib;
use crate::error::{Error, ErrorKind, c_name};
use crate::memory_buffer::MemoryBuffer;
use crate::object::Object;
use crate::out_of_memory::InsideLlvm;
use crate::reentrancy;
use crate::symbols::{SymbolFlags, entry_name, flag_pairs, intern};

/// The duty to define symbols that look-ups wait for, passed to
/// [`Materialize::materialize`](crate::Materialize::materialize).
///
/// A responsibility ends in one of three ways, on any thread: its symbols are emitted, it fails, or
/// it is dropped, which fails it. Therefore every look-up gets an answer.
#[must_use = "dropping the responsibility fails its symbols"]
pub struct Responsibility {
    /// Null after ownership was passed to LLVM.
    raw: LLVMOrcMaterializationResponsibilityRef,
    dylib: Dylib,
}

// SAFETY: LLVM lets any thread end a responsibility. The dylib's handle keeps the session alive.
// The type is not `Sync`.
unsafe impl Send for Responsibility {}

impl Responsibility {
    /// # Safety
    /// The caller owns `raw`, a responsibility for symbols of `dylib`.
    pub(crate) unsafe fn new(
        raw: NonNull<LLVMOrcOpaqueMaterializationResponsibility>,
        dylib: Dylib,
    ) -> Responsibility {
        Responsibility { raw: raw.as_ptr(), dylib }
    }

    /// The dylib of the symbols.
    #[must_use]
    pub fn dylib(&self) -> &Dylib {
        &self.dylib
    }

    /// The symbols to define, without those that other definitions have overridden.
    #[must_use]
    pub fn symbols(&self) -> Vec<(String, SymbolFlags)> {
        let _inside = InsideLlvm::enter();
        let mut n_pairs = 0;
        // SAFETY: the responsibility is alive, and `n_pairs` is our local variable.
        let pairs = unsafe { LLVMOrcMaterializationResponsibilityGetSymbols(self.raw, &mut n_pairs) };
        // SAFETY: the array is never null and has that many pairs.
        let found = unsafe { std::slice::from_raw_parts(pairs, n_pairs) };
        let symbols = found
            .iter()
            // SAFETY: the responsibility keeps its names alive.
            .map(|pair| (unsafe { entry_name(pair.Name) }, SymbolFlags::from_raw_flags(&pair.Flags)))
            .collect();
        // SAFETY: we own the array, which is not used again. It holds no reference counts.
        unsafe { LLVMOrcDisposeCSymbolFlagsMap(pairs) };
        symbols
    }

    /// The symbols that look-ups have requested so far.
    #[must_use]
    pub fn requested(&self) -> Vec<String> {
        let _inside = InsideLlvm::enter();
        let mut n_names = 0;
        // SAFETY: the responsibility is alive, and `n_names` is our local variable.
        let names =
            unsafe { LLVMOrcMaterializationResponsibilityGetRequestedSymbols(self.raw, &mut n_names) };
        // SAFETY: the array is never null and has that many names.
        let found = unsafe { std::slice::from_raw_parts(names, n_names) };
        // SAFETY: the responsibility keeps its names alive.
        let requested = found.iter().map(|&name| unsafe { entry_name(name) }).collect();
        // SAFETY: we own the array, which is not used again. It holds no reference counts.
        unsafe { LLVMOrcDisposeSymbols(names) };
        requested
    }

    /// Defines the symbols by an object, which is linked now. The object's non-local symbols must
    /// be exactly these. A failure goes to the waiting look-ups and to the session's reporter.
    pub fn emit_object(mut self, object: &Object) {
        let transformed = self.dylib.session().transform_object(object);
        let buffer = match transformed.and_then(|object| MemoryBuffer::copy_of(object.bytes())) {
            Ok(buffer) => buffer.into_raw(),
            Err(error) => return self.fail(error),
        };
        let names = self.names();
        let raw = self.take_raw();
        let lljit = self.dylib.session().lljit();
        boundary::call_llvm_nested(|| {
            // SAFETY: the LLJIT is alive and owns the layer.
            let layer = unsafe { LLVMOrcLLJITGetObjLinkingLayer(lljit) };
            // SAFETY: the layer is alive. Responsibility and buffer are passed with ownership.
            unsafe { LLVMOrcObjectLayerEmit(layer, raw, buffer) };
        });
        reentrancy::emission_ended(self.dylib.raw(), &names);
    }

    /// Defines the symbols at existing addresses. `addresses` must name each symbol once.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the names are not exactly those of the symbols,
    /// [`ErrorKind::Session`] if LLVM refuses the definitions. The symbols fail in both cases.
    ///
    /// # Safety
    /// As [`Dylib::define_absolute`].
    pub unsafe fn emit_absolute<'a>(
        self,
        addresses: impl IntoIterator<Item = (&'a str, Address)>,
    ) -> Result<(), Error> {
        let mut symbols = self.symbols();
        let mut named = Vec::new();
        for (name, address) in addresses {
            let idx =
                symbols.iter().position(|(symbol, _)| symbol == name).ok_or_else(|| unknown_symbol(name))?;
            let (_, flags) = symbols.swap_remove(idx);
            named.push((c_name(name)?, flags, address));
        }
        if let Some((missing, _)) = symbols.first() {
            return Err(Error::new(ErrorKind::NotFound, format!("no address for symbol: {missing}")));
        }
        let mut pairs: Vec<LLVMOrcCSymbolMapPair> = named
            .iter()
            .map(|(name, flags, address)| LLVMOrcCSymbolMapPair {
                Name: intern(self.dylib.session(), name),
                Sym: LLVMJITEvaluatedSymbol { Address: address.get(), Flags: flags.raw() },
            })
            .collect();
        boundary::call_llvm(|| {
            let (symbols, n_symbols) = (pairs.as_mut_ptr(), pairs.len());
            // SAFETY: the responsibility is alive. The array has `len` pairs, and each name is
            // passed with one reference count.
            let error =
                unsafe { LLVMOrcMaterializationResponsibilityNotifyResolved(self.raw, symbols, n_symbols) };
            check(error)?;
            // SAFETY: the responsibility is alive and resolved. No dependency groups are passed.
            let error =
                unsafe { LLVMOrcMaterializationResponsibilityNotifyEmitted(self.raw, ptr::null_mut(), 0) };
            check(error)
        })?;
        reentrancy::emission_ended(self.dylib.raw(), &self.names());
        self.dispose();
        Ok(())
    }

    /// Fails the symbols: waiting look-ups return an error of kind [`ErrorKind::Link`]. A look-up
    /// on this thread gets `error` as the source. The session's reporter always receives `error`.
    pub fn fail(self, error: Error) {
        self.remember_failure(&error);
        self.dylib.session().reports().report_cause(error);
        self.fail_silently();
    }

    /// Remembers the cause for look-ups of the symbols.
    pub(crate) fn remember_failure(&self, cause: &Error) {
        self.dylib.session().reports().remember(self.dylib.raw().addr(), self.names(), cause);
    }

    /// Splits off a responsibility for some of the symbols, which ends separately.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if a name is not among the symbols, [`ErrorKind::Name`] if a name
    /// contains a NUL character, [`ErrorKind::Removed`] if the symbols' tracker was removed.
    pub fn delegate(&mut self, names: &[&str]) -> Result<Responsibility, Error> {
        let symbols = self.symbols();
        if let Some(foreign) = names.iter().find(|name| symbols.iter().all(|(symbol, _)| symbol != *name)) {
            return Err(unknown_symbol(foreign));
        }
        let named = names.iter().map(|name| c_name(name)).collect::<Result<Vec<CString>, Error>>()?;
        let mut given: Vec<_> = named.iter().map(|name| intern(self.dylib.session(), name)).collect();
        let mut split = ptr::null_mut();
        boundary::call_llvm(|| {
            let (names, n_names) = (given.as_mut_ptr(), given.len());
            // SAFETY: the responsibility is alive, and `split` is our local variable. The array has
            // `len` names, each passed with one reference count.
            let error =
                unsafe { LLVMOrcMaterializationResponsibilityDelegate(self.raw, names, n_names, &mut split) };
            check(error)
        })?;
        let split = NonNull::new(split).expect("LLVM returns a responsibility unless it fails");
        // SAFETY: we own the new responsibility, for symbols of the same dylib.
        Ok(unsafe { Responsibility::new(split, self.dylib.clone()) })
    }

    /// Adds symbols to the responsibility. They must not be defined yet.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if a symbol is already defined, [`ErrorKind::Name`] if a name
    /// contains a NUL character.
    pub fn define_also<'a>(
        &mut self,
        symbols: impl IntoIterator<Item = (&'a str, SymbolFlags)>,
    ) -> Result<(), Error> {
        let mut pairs = flag_pairs(self.dylib.session(), symbols)?;
        boundary::call_llvm(|| {
            let (symbols, n_symbols) = (pairs.as_mut_ptr(), pairs.len());
            // SAFETY: the responsibility is alive. The array has `len` pairs, and each name is
            // passed with one reference count.
            let error = unsafe {
                LLVMOrcMaterializationResponsibilityDefineMaterializing(self.raw, symbols, n_symbols)
            };
            check(error)
        })
    }

    /// Fails the symbols because their responsibility was dropped.
    pub(crate) fn fail_as_dropped(self) {
        let names = self.names();
        let text = format!("responsibility for {} was dropped, neither emitted nor failed", names.join(", "));
        let error = Error::new(ErrorKind::Link, text);
        self.remember_failure(&error);
        self.dylib.session().reports().report(error);
        self.fail_silently();
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.symbols().into_iter().map(|(name, _)| name).collect()
    }

    pub(crate) fn raw(&self) -> LLVMOrcMaterializationResponsibilityRef {
        self.raw
    }

    /// Takes LLVM's responsibility. The caller must end it.
    pub(crate) fn take_raw(&mut self) -> LLVMOrcMaterializationResponsibilityRef {
        std::mem::replace(&mut self.raw, ptr::null_mut())
    }

    /// Disposes of a responsibility that has no symbols left.
    pub(crate) fn dispose(mut self) {
        let raw = self.take_raw();
        // SAFETY: we own the responsibility, which is not used again.
        unsafe { LLVMOrcDisposeMaterializationResponsibility(raw) };
    }

    /// Fails the symbols. The cause was remembered and reported before.
    pub(crate) fn fail_silently(mut self) {
        let raw = self.take_raw();
        boundary::call_llvm_nested(|| {
            // SAFETY: we own the responsibility, which is alive.
            unsafe { LLVMOrcMaterializationResponsibilityFailMaterialization(raw) };
            // SAFETY: we own the responsibility, which is not used again.
            unsafe { LLVMOrcDisposeMaterializationResponsibility(raw) };
        });
    }
}

impl Drop for Responsibility {
    fn drop(&mut self) {
        if self.raw.is_null() {
            return;
        }
        let taken = Responsibility { raw: self.take_raw(), dylib: self.dylib.clone() };
        if let Err(outside) = add_to_unit(taken) {
            outside.fail_as_dropped();
        }
    }
}

impl fmt::Debug for Responsibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Responsibility");
        shown.field("dylib", &self.dylib);
        if !self.raw.is_null() {
            shown.field("symbols", &self.symbols());
        }
        shown.finish()
    }
}

fn check(error: LLVMErrorRef) -> Result<(), Error> {
    // SAFETY: each caller owns the error that it passes.
    unsafe { Error::check(error, ErrorKind::Session) }
}

fn unknown_symbol(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("responsibility does not include symbol: {name}"))
}

/// A unit that runs on this thread: its dylib's address, its symbols, and the responsibilities for
/// them that were dropped.
struct RunningUnit {
    dylib: usize,
    names: Vec<String>,
    dropped: Vec<Responsibility>,
}

thread_local! {
    /// The units of this thread, innermost last. Without a destructor, so that responsibilities can
    /// be dropped while the thread ends. It owns memory only while a unit runs.
    static UNITS: ManuallyDrop<RefCell<Vec<RunningUnit>>> =
        const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

/// Runs a unit that defines these names. Returns the responsibilities for them that were dropped on
/// this thread meanwhile. `run` must not panic.
pub(crate) fn collect_dropped<T>(
    dylib: usize,
    names: Vec<String>,
    run: impl FnOnce() -> T,
) -> (T, Vec<Responsibility>) {
    UNITS.with(|units| units.borrow_mut().push(RunningUnit { dylib, names, dropped: Vec::new() }));
    let result = run();
    let unit = UNITS.with(|units| {
        let mut units = units.borrow_mut();
        let unit = units.pop();
        if units.is_empty() {
            *units = Vec::new();
        }
        unit
    });
    (result, unit.map(|unit| unit.dropped).unwrap_or_default())
}

/// Gives a dropped responsibility to the running unit that defines its symbols. Returns it if none
/// does.
fn add_to_unit(dropped: Responsibility) -> Result<(), Responsibility> {
    let (dylib, names) = (dropped.dylib.raw().addr(), dropped.names());
    UNITS.with(|units| {
        let mut units = units.borrow_mut();
        let defines = |unit: &&mut RunningUnit| {
            unit.dylib == dylib && names.iter().any(|name| unit.names.contains(name))
        };
        match units.iter_mut().rev().find(defines) {
            Some(unit) => {
                unit.dropped.push(dropped);
                Ok(())
            }
            None => Err(dropped),
        }
    })
}
