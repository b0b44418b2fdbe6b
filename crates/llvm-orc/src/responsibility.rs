//! The duty to define symbols that somebody waits for.

use std::ffi::CString;
use std::fmt;
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
    LLVMOrcMaterializationResponsibilityRef, LLVMOrcMaterializationResponsibilityReplace,
    LLVMOrcObjectLayerEmit, LLVMOrcOpaqueMaterializationResponsibility,
};

use crate::address::Address;
use crate::boundary;
use crate::dylib::{Dylib, copy_to_buffer};
use crate::error::{Error, ErrorKind, c_name};
use crate::materialization_unit::{self, Materialize};
use crate::object::Object;
use crate::symbols::{SymbolFlags, entry_name, flag_pairs, intern};

/// The duty to define symbols that somebody is waiting for, given to [`Materialize::materialize`].
///
/// It ends in one of three ways, on whatever thread: emitted, failed, or dropped, which is a failure, too. So
/// whoever waits gets an answer in each case, and never waits for what nobody is doing any more.
#[must_use = "dropping the responsibility fails its symbols"]
pub struct Responsibility {
    /// Null once it was given over.
    raw: LLVMOrcMaterializationResponsibilityRef,
    dylib: Dylib,
}

// SAFETY: LLVM makes them to be finished on another thread than they were begun on; the dylib's handle keeps the
// session alive. It is not `Sync`, and needs not be.
unsafe impl Send for Responsibility {}

impl Responsibility {
    /// # Safety
    /// `raw` is a responsibility for symbols of `dylib` that nobody else ends.
    pub(crate) unsafe fn new(
        raw: NonNull<LLVMOrcOpaqueMaterializationResponsibility>,
        dylib: Dylib,
    ) -> Responsibility {
        Responsibility { raw: raw.as_ptr(), dylib }
    }

    /// The dylib whose symbols these are.
    #[must_use]
    pub fn dylib(&self) -> &Dylib {
        &self.dylib
    }

    /// All symbols that must be defined, without those that other definitions have overridden.
    #[must_use]
    pub fn symbols(&self) -> Vec<(String, SymbolFlags)> {
        let mut n_pairs = 0;
        // SAFETY: the responsibility is alive, `n_pairs` a place of ours.
        let pairs = unsafe { LLVMOrcMaterializationResponsibilityGetSymbols(self.raw, &mut n_pairs) };
        // SAFETY: there are that many pairs, in an array that is never null.
        let found = unsafe { std::slice::from_raw_parts(pairs, n_pairs) };
        let symbols = found
            .iter()
            // SAFETY: the responsibility keeps its names alive.
            .map(|pair| (unsafe { entry_name(pair.Name) }, SymbolFlags::from_raw_flags(&pair.Flags)))
            .collect();
        // SAFETY: the array is ours to give back and used no more; it holds no counts.
        unsafe { LLVMOrcDisposeCSymbolFlagsMap(pairs) };
        symbols
    }

    /// Those of them that somebody has asked for by now.
    #[must_use]
    pub fn requested(&self) -> Vec<String> {
        let mut n_names = 0;
        // SAFETY: the responsibility is alive, `n_names` a place of ours.
        let names =
            unsafe { LLVMOrcMaterializationResponsibilityGetRequestedSymbols(self.raw, &mut n_names) };
        // SAFETY: there are that many names, in an array that is never null.
        let found = unsafe { std::slice::from_raw_parts(names, n_names) };
        // SAFETY: the responsibility keeps its names alive.
        let requested = found.iter().map(|&name| unsafe { entry_name(name) }).collect();
        // SAFETY: the array is ours to give back and used no more; it holds no counts.
        unsafe { LLVMOrcDisposeSymbols(names) };
        requested
    }

    /// Defines the symbols by an object file, which is linked now. It must define these symbols and no others that
    /// are not local. A failure goes to those who wait, and to the session's reporter.
    pub fn emit_object(mut self, object: &Object) {
        let object = match self.dylib.session().transform_object(object) {
            Ok(object) => object,
            Err(error) => return self.fail(error),
        };
        let buffer = copy_to_buffer(object.bytes());
        let raw = self.take_raw();
        let lljit = self.dylib.session().lljit();
        boundary::call_llvm_nested(|| {
            // SAFETY: the LLJIT is alive, which keeps the layer.
            let layer = unsafe { LLVMOrcLLJITGetObjLinkingLayer(lljit) };
            // SAFETY: the layer is alive; responsibility and buffer are given over.
            unsafe { LLVMOrcObjectLayerEmit(layer, raw, buffer) };
        });
    }

    /// Defines the symbols as the addresses of things that exist already. All of them must be named.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the names are not just those of the symbols, which then fail;
    /// [`ErrorKind::Session`] if LLVM refuses them.
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
            let place =
                symbols.iter().position(|(symbol, _)| symbol == name).ok_or_else(|| unknown_symbol(name))?;
            let (_, flags) = symbols.swap_remove(place);
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
            // SAFETY: the responsibility is alive, the pairs are as many as said, their names are given over.
            let error =
                unsafe { LLVMOrcMaterializationResponsibilityNotifyResolved(self.raw, symbols, n_symbols) };
            check(error)?;
            // SAFETY: the responsibility is alive and resolved; no groups are given.
            let error =
                unsafe { LLVMOrcMaterializationResponsibilityNotifyEmitted(self.raw, ptr::null_mut(), 0) };
            check(error)
        })?;
        self.dispose();
        Ok(())
    }

    /// Fails the symbols: whoever waits for one gets an error of kind [`ErrorKind::Link`], with this as its source
    /// where it waits on this thread. The session's reporter gets it in any case.
    pub fn fail(mut self, error: Error) {
        self.dylib.session().report_cause(error);
        self.fail_silently();
    }

    /// Gives the symbols back to be defined by another unit, when they are next looked up; those that were asked for
    /// are looked up again at once.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if LLVM refuses, and then the symbols fail.
    pub fn replace(self, definitions: impl Materialize) -> Result<(), Error> {
        let symbols = self.symbols();
        let named = symbols.iter().map(|(name, flags)| (name.as_str(), *flags));
        let unit = materialization_unit::create(&self.dylib, named, Box::new(definitions))?;
        boundary::call_llvm(|| {
            // SAFETY: the responsibility is alive, the unit is given over, as a session's replacement or to be destroyed.
            let error = unsafe { LLVMOrcMaterializationResponsibilityReplace(self.raw, unit) };
            check(error)
        })?;
        self.dispose();
        Ok(())
    }

    /// Splits off the responsibility for some of the symbols, to be ended apart.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if a name is none of the symbols', [`ErrorKind::Name`] if it holds a NUL character,
    /// [`ErrorKind::Removed`] if the symbols' tracker was removed meanwhile.
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
            // SAFETY: the responsibility is alive, the names are as many as said and given over, `split` is a place of ours.
            let error =
                unsafe { LLVMOrcMaterializationResponsibilityDelegate(self.raw, names, n_names, &mut split) };
            check(error)
        })?;
        let split = NonNull::new(split).expect("without an error there is a responsibility");
        // SAFETY: the new responsibility is ours, for symbols of the same dylib.
        Ok(unsafe { Responsibility::new(split, self.dylib.clone()) })
    }

    /// Takes on further symbols, which nobody has defined yet.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if one is defined already, [`ErrorKind::Name`] if a name holds a NUL character.
    pub fn define_also<'a>(
        &mut self,
        symbols: impl IntoIterator<Item = (&'a str, SymbolFlags)>,
    ) -> Result<(), Error> {
        let mut pairs = flag_pairs(self.dylib.session(), symbols)?;
        boundary::call_llvm(|| {
            let (symbols, n_symbols) = (pairs.as_mut_ptr(), pairs.len());
            // SAFETY: the responsibility is alive, the pairs are as many as said, their names are given over.
            let error = unsafe {
                LLVMOrcMaterializationResponsibilityDefineMaterializing(self.raw, symbols, n_symbols)
            };
            check(error)
        })
    }

    /// Gives LLVM's responsibility over.
    pub(crate) fn take_raw(&mut self) -> LLVMOrcMaterializationResponsibilityRef {
        std::mem::replace(&mut self.raw, ptr::null_mut())
    }

    /// Ends a responsibility that has no symbols left.
    fn dispose(mut self) {
        let raw = self.take_raw();
        // SAFETY: it is ours, and used no more.
        unsafe { LLVMOrcDisposeMaterializationResponsibility(raw) };
    }

    fn fail_silently(&mut self) {
        let raw = self.take_raw();
        boundary::call_llvm_nested(|| {
            // SAFETY: it is ours and alive.
            unsafe { LLVMOrcMaterializationResponsibilityFailMaterialization(raw) };
            // SAFETY: it is ours, and used no more.
            unsafe { LLVMOrcDisposeMaterializationResponsibility(raw) };
        });
    }
}

impl Drop for Responsibility {
    fn drop(&mut self) {
        if self.raw.is_null() {
            return;
        }
        let names: Vec<_> = self.symbols().into_iter().map(|(name, _)| name).collect();
        let text = format!("responsibility for {} was dropped, neither emitted nor failed", names.join(", "));
        self.dylib.session().report(Error::new(ErrorKind::Link, text));
        self.fail_silently();
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
    // SAFETY: each caller gives an error of LLVM's that is its own alone.
    unsafe { Error::check(error, ErrorKind::Session) }
}

fn unknown_symbol(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("no symbol of this responsibility: {name}"))
}
