//! Generators: define symbols that a look-up did not find in a dylib.
//!
//! LLVM calls a dylib's generators in the order in which they were added, each for the names that
//! are still missing. It holds no lock during a call, but calls each generator for one look-up at a
//! time. A look-up by a generator in its own dylib would wait for itself, so this crate refuses it.

mod libraries;

use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Weak};

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::{
    LLVMOrcCLookupSet, LLVMOrcCreateCustomCAPIDefinitionGenerator, LLVMOrcDefinitionGeneratorRef,
    LLVMOrcJITDylibAddGenerator, LLVMOrcJITDylibLookupFlags, LLVMOrcJITDylibRef, LLVMOrcLookupKind,
    LLVMOrcLookupStateContinueLookup, LLVMOrcLookupStateRef, LLVMOrcOpaqueJITDylib, LLVMOrcOpaqueLookupState,
    LLVMOrcSymbolLookupFlags,
};

use crate::boundary;
use crate::dylib::Dylib;
use crate::error::Error;
use crate::out_of_memory::InsideLlvm;
use crate::reentrancy;
use crate::session::Session;
use crate::symbols::entry_name;

/// Defines symbols that a look-up did not find. See [`Dylib::add_generator`].
///
/// Closures that take a [`PendingLookup`] implement this trait.
pub trait Generate: Send + Sync + 'static {
    /// Defines missing names in [`PendingLookup::dylib`]. The next generator gets the names that
    /// are still missing.
    ///
    /// # Errors
    /// An error fails the look-up.
    fn generate(&self, lookup: &mut PendingLookup<'_>) -> Result<(), Error>;
}

impl<F> Generate for F
where
    F: Fn(&mut PendingLookup<'_>) -> Result<(), Error> + Send + Sync + 'static,
{
    fn generate(&self, lookup: &mut PendingLookup<'_>) -> Result<(), Error> {
        self(lookup)
    }
}

/// A look-up that has not found all its names.
pub struct PendingLookup<'a> {
    dylib: Dylib,
    names: Vec<String>,
    state: &'a mut LLVMOrcLookupStateRef,
    not_send: PhantomData<*const ()>,
}

impl PendingLookup<'_> {
    /// The dylib in which the names are missing.
    #[must_use]
    pub fn dylib(&self) -> &Dylib {
        &self.dylib
    }

    /// The missing names that the look-up requires.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Suspends the look-up, which any thread can resume later. The caller of the look-up waits.
    ///
    /// The look-up ignores what `generate` returns afterwards.
    ///
    /// # Panics
    /// If the look-up is already suspended.
    pub fn suspend(&mut self) -> SuspendedLookup {
        let raw = std::mem::replace(self.state, ptr::null_mut());
        let raw = NonNull::new(raw).expect("the look-up is already suspended");
        SuspendedLookup { raw: Some(raw), dylib: self.dylib.clone(), names: self.names.clone() }
    }
}

impl fmt::Debug for PendingLookup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingLookup")
            .field("dylib", &self.dylib)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// A look-up that waits for its generator.
///
/// Dropping it resumes the look-up with the symbols that are defined by then, so the caller of the
/// look-up always gets an answer.
#[must_use = "dropping it resumes the look-up"]
pub struct SuspendedLookup {
    raw: Option<NonNull<LLVMOrcOpaqueLookupState>>,
    dylib: Dylib,
    names: Vec<String>,
}

// SAFETY: LLVM lets any thread continue a suspended look-up. The dylib's handle keeps the session
// alive.
unsafe impl Send for SuspendedLookup {}

impl SuspendedLookup {
    /// The dylib in which the names are missing.
    #[must_use]
    pub fn dylib(&self) -> &Dylib {
        &self.dylib
    }

    /// The missing names that the look-up requires.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Resumes the look-up with the symbols that are defined now, or fails it.
    pub fn resume(mut self, result: Result<(), Error>) {
        self.continue_lookup(result.map_or_else(Error::into_raw, |()| ptr::null_mut()));
    }

    fn continue_lookup(&mut self, error: LLVMErrorRef) {
        let Some(raw) = self.raw.take() else { return };
        reentrancy::outside_generators(|| {
            boundary::call_llvm_nested(|| {
                // SAFETY: look-up and error are passed with ownership.
                unsafe { LLVMOrcLookupStateContinueLookup(raw.as_ptr(), error) };
            });
        });
    }
}

impl Drop for SuspendedLookup {
    fn drop(&mut self) {
        self.continue_lookup(ptr::null_mut());
    }
}

impl fmt::Debug for SuspendedLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SuspendedLookup")
            .field("dylib", &self.dylib)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Dylib {
    /// Adds a generator, which LLVM calls after the earlier ones for names that are not defined in
    /// this dylib.
    ///
    /// The session owns the generator. A generator should not own a handle of the session, because
    /// then neither would ever be freed.
    pub fn add_generator(&self, generator: impl Generate) {
        let context = Box::new(GeneratorContext {
            session: Arc::downgrade(self.shared_session()),
            dylib: NonNull::new(self.raw()).expect("a dylib's pointer is not null"),
            dylib_name: self.shared_name(),
            generator: Box::new(generator),
        });
        let _inside = InsideLlvm::enter();
        // SAFETY: LLVM owns the box and passes it to these functions.
        let raw = unsafe {
            LLVMOrcCreateCustomCAPIDefinitionGenerator(
                try_to_generate,
                Box::into_raw(context).cast(),
                dispose,
            )
        };
        // SAFETY: the generator is alive and passed with ownership.
        unsafe { self.add_raw_generator(raw) };
    }

    /// # Safety
    /// The generator is alive and the caller passes ownership.
    unsafe fn add_raw_generator(&self, raw: LLVMOrcDefinitionGeneratorRef) {
        boundary::call_llvm_nested(|| {
            // SAFETY: the dylib lives as long as the session. The caller guarantees the rest.
            unsafe { LLVMOrcJITDylibAddGenerator(self.raw(), raw) };
        });
    }
}

/// Context pointer of LLVM's generator.
struct GeneratorContext {
    /// Weak, because the session owns the generator.
    session: Weak<Session>,
    dylib: NonNull<LLVMOrcOpaqueJITDylib>,
    dylib_name: Arc<str>,
    generator: Box<dyn Generate>,
}

extern "C" fn try_to_generate(
    _generator: LLVMOrcDefinitionGeneratorRef,
    context: *mut c_void,
    state: *mut LLVMOrcLookupStateRef,
    _kind: LLVMOrcLookupKind,
    _dylib: LLVMOrcJITDylibRef,
    _flags: LLVMOrcJITDylibLookupFlags,
    missing: LLVMOrcCLookupSet,
    n_missing: usize,
) -> LLVMErrorRef {
    // SAFETY: the box from `add_generator`, which LLVM owns as long as the generator.
    let context = unsafe { &*context.cast::<GeneratorContext>() };
    let Some(session) = context.session.upgrade() else { return ptr::null_mut() };
    // SAFETY: LLVM passes a valid pointer, and only this thread uses it during the call.
    let state = unsafe { &mut *state };
    let missing = if n_missing == 0 {
        &[]
    } else {
        // SAFETY: the array has that many elements.
        unsafe { std::slice::from_raw_parts(missing, n_missing) }
    };
    let names = missing
        .iter()
        .filter(|element| {
            element.LookupFlags == LLVMOrcSymbolLookupFlags::LLVMOrcSymbolLookupFlagsRequiredSymbol
        })
        // SAFETY: the names are alive during the call.
        .map(|element| unsafe { entry_name(element.Name) })
        .collect();
    // SAFETY: the generator belongs to this dylib of this session, which frees none.
    let dylib = unsafe { Dylib::new(Arc::clone(&session), context.dylib, &context.dylib_name) };
    let mut lookup = PendingLookup { dylib, names, state, not_send: PhantomData };
    let result = reentrancy::generating(context.dylib.addr().get(), || {
        boundary::catch_panic_as_error(|| context.generator.generate(&mut lookup))
    });
    let suspended = lookup.state.is_null();
    match result {
        Ok(()) => ptr::null_mut(),
        Err(error) if suspended => {
            session.reports().report(error);
            ptr::null_mut()
        }
        Err(error) => error.into_raw(),
    }
}

extern "C" fn dispose(context: *mut c_void) {
    boundary::catch_panic(|| {
        // SAFETY: the box from `add_generator`, which LLVM passes to this function once.
        let context = unsafe { Box::from_raw(context.cast::<GeneratorContext>()) };
        boundary::defer_drop(context.generator);
    });
}
