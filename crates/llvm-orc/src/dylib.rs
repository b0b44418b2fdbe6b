//! Dylibs: the name spaces of a session.

#[cfg(feature = "shim")]
mod link_order;

use std::ffi::c_void;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use llvm_sys::core::LLVMCreateMemoryBufferWithMemoryRangeCopy;
use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::lljit::LLVMOrcLLJITAddObjectFileWithRT;
use llvm_sys::orc2::{
    LLVMJITEvaluatedSymbol, LLVMJITSymbolFlags, LLVMJITSymbolGenericFlags, LLVMOrcAbsoluteSymbols,
    LLVMOrcCJITDylibSearchOrderElement, LLVMOrcCLookupSetElement, LLVMOrcCSymbolMapPair,
    LLVMOrcCSymbolMapPairs, LLVMOrcDisposeMaterializationUnit, LLVMOrcExecutionSessionLookup,
    LLVMOrcJITDylibClear, LLVMOrcJITDylibDefine, LLVMOrcJITDylibLookupFlags, LLVMOrcLookupKind,
    LLVMOrcMaterializationUnitRef, LLVMOrcOpaqueJITDylib, LLVMOrcSymbolLookupFlags,
};
use llvm_sys::prelude::LLVMMemoryBufferRef;

#[cfg(feature = "shim")]
pub(crate) use link_order::RemovedDylibs;

use crate::address::{Address, Function, Symbol};
use crate::boundary;
use crate::error::{Error, ErrorKind, c_name};
use crate::generator;
use crate::materialization_unit::{self, Materialize};
use crate::object::Object;
use crate::session::Session;
use crate::symbols::{SymbolFlags, intern};
use crate::tracker::Tracker;

/// A name space of a session: symbols are defined in it and found by name.
///
/// A `Dylib` is a cheap handle, which keeps the session alive. All its methods may be called from many threads
/// at once. Names are the linker's: on machines whose linker puts a character before each name, as macOS does,
/// it is part of them.
#[derive(Clone)]
pub struct Dylib {
    session: Arc<Session>,
    raw: NonNull<LLVMOrcOpaqueJITDylib>,
    name: Arc<str>,
}

// SAFETY: the session's promise 3; the pointer is good on every thread while the session lives, which the handle
// sees to.
unsafe impl Send for Dylib {}
// SAFETY: as above.
unsafe impl Sync for Dylib {}

impl Dylib {
    /// # Safety
    /// `raw` is a dylib of `session` that stays in memory as long as it.
    pub(crate) unsafe fn new(
        session: Arc<Session>,
        raw: NonNull<LLVMOrcOpaqueJITDylib>,
        name: &str,
    ) -> Dylib {
        Dylib { session, raw, name: name.into() }
    }

    /// The name it was made with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Defines names as the addresses of things that exist already: functions and data of the process that the
    /// objects of this dylib may use. What is not listed here they cannot reach by name.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if a name is defined already, and then none of them is defined;
    /// [`ErrorKind::Name`] if a name holds a NUL character.
    ///
    /// # Safety
    /// Each address must be that of a function or datum that lives as long as code that uses the name can run,
    /// and be of the type that the code believes it to have.
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
        // SAFETY: the pairs are as many as said, and the names in them are given over, one count each.
        let unit = unsafe { LLVMOrcAbsoluteSymbols(pairs.as_mut_ptr(), pairs.len()) };
        // SAFETY: the unit is ours alone.
        unsafe { self.define(unit) }
    }

    /// Defines symbols whose definitions are made when one of them is first looked up.
    ///
    /// LLVM's C API can remove them only all at once, by [`clear`](Dylib::clear); with the shim
    #[cfg_attr(feature = "shim", doc = "[`define_lazily_tracked`](Dylib::define_lazily_tracked)")]
    #[cfg_attr(not(feature = "shim"), doc = "`define_lazily_tracked`")]
    /// gives a tracker for them. After a failure the names stay as failed as the definitions.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if a name is defined already, and then none of them is defined;
    /// [`ErrorKind::Name`] if a name holds a NUL character, or there is no name.
    ///
    /// # Example
    ///
    #[cfg_attr(feature = "inkwell", doc = "```")]
    #[cfg_attr(not(feature = "inkwell"), doc = "```ignore")]
    /// # use llvm_orc::{Compiler, Jit, Responsibility, SymbolFlags};
    /// let dylib = Jit::builder().build()?.create_bare_dylib("lazy")?;
    /// let four = |responsibility: Responsibility| {
    ///     let object = Compiler::builder().build()?.compile(|cx| {
    ///         let module = cx.create_module("four");
    ///         let function = module.add_function("four", cx.i32_type().fn_type(&[], false), None);
    ///         let builder = cx.create_builder();
    ///         builder.position_at_end(cx.append_basic_block(function, "entry"));
    ///         builder.build_return(Some(&cx.i32_type().const_int(4, false))).expect("in a block");
    ///         module
    ///     })?;
    ///     responsibility.emit_object(&object);
    ///     Ok(())
    /// };
    /// dylib.define_lazily([("four", SymbolFlags::FUNCTION)], four)?; // nothing is compiled yet
    /// // SAFETY: it is of that type, and never removed.
    /// let four = unsafe { dylib.lookup_fn::<extern "C" fn() -> i32>("four") }?;
    /// assert_eq!(four.call(()), 4);
    /// # Ok::<(), llvm_orc::Error>(())
    /// ```
    pub fn define_lazily<'a>(
        &self,
        symbols: impl IntoIterator<Item = (&'a str, SymbolFlags)>,
        definitions: impl Materialize,
    ) -> Result<(), Error> {
        let unit = materialization_unit::create(self, symbols, Box::new(definitions))?;
        // SAFETY: the unit is ours alone.
        unsafe { self.define(unit) }
    }

    /// As [`define_lazily`](Dylib::define_lazily), owned by a tracker. When it is removed, definitions that were not needed
    /// are dropped, and what was made of the others goes.
    ///
    /// # Errors
    /// As [`define_lazily`](Dylib::define_lazily).
    #[cfg(feature = "shim")]
    pub fn define_lazily_tracked<'a>(
        &self,
        symbols: impl IntoIterator<Item = (&'a str, SymbolFlags)>,
        definitions: impl Materialize,
    ) -> Result<Tracker, Error> {
        use llvm_sys::orc2::{LLVMOrcMaterializationUnitRef, LLVMOrcResourceTrackerRef};

        // SAFETY: the signature is that of `shim/session.cpp`.
        unsafe extern "C" {
            fn llvm_orc_define(
                tracker: LLVMOrcResourceTrackerRef,
                unit: LLVMOrcMaterializationUnitRef,
            ) -> LLVMErrorRef;
        }

        let unit = materialization_unit::create(self, symbols, Box::new(definitions))?;
        let tracker = Tracker::new(self.clone());
        boundary::call_llvm(|| {
            // SAFETY: the tracker is alive and of this dylib, the unit is given over.
            let error = unsafe { llvm_orc_define(tracker.raw(), unit) };
            // SAFETY: the error is ours alone.
            unsafe { Error::check(error, ErrorKind::Session) }
        })?;
        Ok(tracker)
    }

    /// Removes everything that is defined here, whoever's tracker owns it.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if memory could not be given back.
    ///
    /// # Safety
    /// No code of this dylib may be called afterwards: symbols that were looked up by its trackers are good no more.
    pub unsafe fn clear(&self) -> Result<(), Error> {
        boundary::call_llvm(|| {
            // SAFETY: the dylib lives as long as the session.
            let error = unsafe { LLVMOrcJITDylibClear(self.raw.as_ptr()) };
            // SAFETY: the error is ours alone.
            unsafe { Error::check(error, ErrorKind::Session) }
        })
    }

    /// Defines what a unit defines, under the default tracker.
    ///
    /// # Safety
    /// The unit is the caller's alone, and given over.
    pub(crate) unsafe fn define(&self, unit: LLVMOrcMaterializationUnitRef) -> Result<(), Error> {
        boundary::call_llvm(|| {
            // SAFETY: the dylib lives as long as the session, the unit is the caller's to give.
            let error = unsafe { LLVMOrcJITDylibDefine(self.raw.as_ptr(), unit) };
            // SAFETY: the error is ours alone.
            let defined = unsafe { Error::check(error, ErrorKind::Session) };
            if defined.is_err() {
                // SAFETY: a unit that could not be defined is still ours.
                unsafe { LLVMOrcDisposeMaterializationUnit(unit) };
            }
            defined
        })
    }

    /// Puts an object's symbols into this dylib. They are linked when one of them is first looked up.
    ///
    /// The tracker that comes back owns what was added.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if one of its symbols is defined already, [`ErrorKind::Object`] if it cannot be
    /// read.
    pub fn add_object(&self, object: &Object) -> Result<Tracker, Error> {
        let tracker = Tracker::new(self.clone());
        let buffer = copy_to_buffer(object.bytes());
        boundary::call_llvm(|| {
            // SAFETY: the LLJIT and the tracker are alive; the buffer is given over.
            let error =
                unsafe { LLVMOrcLLJITAddObjectFileWithRT(self.session.lljit(), tracker.raw(), buffer) };
            // SAFETY: the error is ours alone.
            unsafe { Error::check(error, ErrorKind::Object) }
        })?;
        Ok(tracker)
    }

    /// The address of a symbol, which is linked now, on this thread, if it was not yet. When another thread is
    /// linking it, this one waits.
    ///
    /// The address is good until the tracker that owns the symbol is removed.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if no such symbol is defined, [`ErrorKind::Link`] if it cannot be linked (the
    /// error's source says why, if it was this thread that tried), [`ErrorKind::Name`] if the name holds a NUL
    /// character, [`ErrorKind::Session`] if this thread is materializing that very symbol, or generating
    /// symbols for this dylib.
    pub fn lookup(&self, name: &str) -> Result<Address, Error> {
        if materialization_unit::is_materializing(self.raw.as_ptr(), name) {
            let text = format!("look-up of {name} by its own materialization, which would wait for itself");
            return Err(Error::new(ErrorKind::Session, text));
        }
        if generator::is_generating(self.raw.as_ptr()) {
            let text = format!("look-up of {name} by a generator of its dylib, which would wait for itself");
            return Err(Error::new(ErrorKind::Session, text));
        }
        let name = c_name(name)?;
        let mut order = LLVMOrcCJITDylibSearchOrderElement {
            JD: self.raw.as_ptr(),
            JDLookupFlags: LLVMOrcJITDylibLookupFlags::LLVMOrcJITDylibLookupFlagsMatchAllSymbols,
        };
        let mut wanted = LLVMOrcCLookupSetElement {
            Name: intern(&self.session, &name),
            LookupFlags: LLVMOrcSymbolLookupFlags::LLVMOrcSymbolLookupFlagsRequiredSymbol,
        };
        let answer = Arc::new(LookupResult::default());
        boundary::call_llvm(|| {
            // SAFETY: one element each, in places that outlive the call, which copies them; the name is given
            // over with its count; the handler is called once, and takes over the count of `answer` made for it.
            unsafe {
                LLVMOrcExecutionSessionLookup(
                    self.session.raw(),
                    LLVMOrcLookupKind::LLVMOrcLookupKindStatic,
                    &mut order,
                    1,
                    &mut wanted,
                    1,
                    receive_lookup_result,
                    Arc::into_raw(Arc::clone(&answer)).cast_mut().cast(),
                );
            }
            answer.wait()
        })
    }

    /// A function by name and type, for functions whose code is never removed.
    /// [`Tracker::lookup_fn`] is the form for those that are, and asks less of its caller.
    ///
    /// # Errors
    /// As [`lookup`](Dylib::lookup).
    ///
    /// # Safety
    /// The symbol must be a function of type `F`, safe to call with any arguments of that type, and its code, and where it is
    /// a stub the code that it leads to, must not be removed while the result lives.
    pub unsafe fn lookup_fn<F: Function>(&self, name: &str) -> Result<Symbol<'_, F>, Error> {
        let address = self.lookup(name)?;
        // SAFETY: the caller's promise, for as long as this handle keeps the session alive.
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

/// A buffer of LLVM's with these bytes, to be given over.
pub(crate) fn copy_to_buffer(bytes: &[u8]) -> LLVMMemoryBufferRef {
    // SAFETY: the bytes are as many as said, and are copied; the name is ended by NUL.
    unsafe {
        LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes.as_ptr().cast(), bytes.len(), c"object".as_ptr())
    }
}

const EXPORTED: LLVMJITSymbolFlags = LLVMJITSymbolFlags {
    GenericFlags: LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsExported as u8
        | LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsCallable as u8,
    TargetFlags: 0,
};

/// Where a look-up's answer arrives: on this thread, or on the one that is linking the symbol.
#[derive(Default)]
struct LookupResult {
    result: Mutex<Option<Result<Address, Error>>>,
    arrived: Condvar,
}

impl LookupResult {
    fn wait(&self) -> Result<Address, Error> {
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match result.take() {
                Some(result) => return result,
                None => result = self.arrived.wait(result).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

extern "C" fn receive_lookup_result(
    error: LLVMErrorRef,
    found: LLVMOrcCSymbolMapPairs,
    _n_found: usize,
    context: *mut c_void,
) {
    boundary::catch_panic(|| {
        // SAFETY: the count that `lookup` made for this one call.
        let answer = unsafe { Arc::from_raw(context.cast_const().cast::<LookupResult>()) };
        // SAFETY: the handler owns the error it is given.
        let result = unsafe { Error::check(error, ErrorKind::Link) }.map(|()| {
            // SAFETY: without an error there is one pair for the one name that was asked for, to be read now.
            Address::new(unsafe { ptr::read(found) }.Sym.Address)
        });
        *answer.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        answer.arrived.notify_one();
    });
}
