//! Generators: where a dylib finds symbols that it does not define.
//!
//! They are asked in the order in which they were added, each for the names that are still missing. LLVM holds no lock
//! meanwhile; but it asks each for one look-up at a time, so that a look-up from within a generator, in the dylib it is asked
//! for, would wait for itself. It is refused.

mod libraries;

use std::cell::RefCell;
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
use crate::session::Session;
use crate::symbols::entry_name;

/// What can define symbols that a look-up has not found. See [`Dylib::add_generator`].
///
/// A closure that takes a [`PendingLookup`] is one.
pub trait Generate: Send + Sync + 'static {
    /// Defines in [`PendingLookup::dylib`] those of the missing names that it can. What it leaves, others are asked for.
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

/// A look-up that has not found all it wants.
pub struct PendingLookup<'a> {
    dylib: Dylib,
    names: Vec<String>,
    state: &'a mut LLVMOrcLookupStateRef,
    one_thread: PhantomData<*const ()>,
}

impl PendingLookup<'_> {
    /// Where the names are missing.
    #[must_use]
    pub fn dylib(&self) -> &Dylib {
        &self.dylib
    }

    /// The missing names that the look-up cannot do without.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Takes the look-up away, to go on later, on whatever thread. Whoever looks up waits meanwhile.
    ///
    /// What `generate` then gives back does not matter to the look-up.
    ///
    /// # Panics
    /// When it was taken already.
    pub fn suspend(&mut self) -> SuspendedLookup {
        let raw = std::mem::replace(self.state, ptr::null_mut());
        let raw = NonNull::new(raw).expect("a look-up is suspended once");
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
/// Dropped, it goes on without what the generator might have defined: whoever waits gets an answer in each case.
#[must_use = "dropping it lets the look-up go on"]
pub struct SuspendedLookup {
    raw: Option<NonNull<LLVMOrcOpaqueLookupState>>,
    dylib: Dylib,
    names: Vec<String>,
}

// SAFETY: LLVM makes them to be continued on another thread; the dylib's handle keeps the session alive.
unsafe impl Send for SuspendedLookup {}

impl SuspendedLookup {
    /// Where the names are missing.
    #[must_use]
    pub fn dylib(&self) -> &Dylib {
        &self.dylib
    }

    /// The missing names that the look-up cannot do without.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Lets the look-up go on with what is defined now, or fail.
    pub fn resume(mut self, result: Result<(), Error>) {
        self.continue_lookup(result.map_or_else(Error::into_raw, |()| ptr::null_mut()));
    }

    fn continue_lookup(&mut self, error: LLVMErrorRef) {
        let Some(raw) = self.raw.take() else { return };
        // The generator is free again: what runs in here may look up.
        let outer = GENERATING.take();
        boundary::call_llvm_nested(|| {
            // SAFETY: the look-up was taken from its generator and is given over, and so is the error.
            unsafe { LLVMOrcLookupStateContinueLookup(raw.as_ptr(), error) };
        });
        GENERATING.set(outer);
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
    /// Has a generator asked for symbols that are looked up here and are not defined, after those that were added before it.
    ///
    /// It stays as long as the session; a handle of the session that it owns keeps that alive for ever.
    pub fn add_generator(&self, generator: impl Generate) {
        let owned = Box::new(GeneratorContext {
            session: Arc::downgrade(self.shared_session()),
            dylib: NonNull::new(self.raw()).expect("a dylib's pointer is not null"),
            dylib_name: self.shared_name(),
            generator: Box::new(generator),
        });
        // SAFETY: the functions take over the box that is given with them.
        let raw = unsafe {
            LLVMOrcCreateCustomCAPIDefinitionGenerator(try_to_generate, Box::into_raw(owned).cast(), dispose)
        };
        // SAFETY: the generator was made just now, and is given over.
        unsafe { self.add_raw_generator(raw) };
    }

    /// # Safety
    /// The generator is alive and given over.
    unsafe fn add_raw_generator(&self, raw: LLVMOrcDefinitionGeneratorRef) {
        boundary::call_llvm_nested(|| {
            // SAFETY: the dylib lives as long as the session; the rest is the caller's promise.
            unsafe { LLVMOrcJITDylibAddGenerator(self.raw(), raw) };
        });
    }
}

/// What LLVM's generator refers to.
struct GeneratorContext {
    /// The session owns the generator, so the generator does not own the session.
    session: Weak<Session>,
    dylib: NonNull<LLVMOrcOpaqueJITDylib>,
    dylib_name: Arc<str>,
    generator: Box<dyn Generate>,
}

thread_local! {
    /// The dylibs that this thread is generating symbols for.
    static GENERATING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Whether this thread is generating symbols for that dylib, so that looking up in it would never end.
pub(crate) fn is_generating(dylib: *mut LLVMOrcOpaqueJITDylib) -> bool {
    GENERATING.with_borrow(|generating| generating.contains(&dylib.addr()))
}

/// Runs a generator's own code, and keeps it from looking up.
fn run_generator<T>(dylib: usize, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    GENERATING.with_borrow_mut(|generating| generating.push(dylib));
    let result = boundary::catch_panic_as_error(run);
    GENERATING.with_borrow_mut(Vec::pop);
    result
}

extern "C" fn try_to_generate(
    _generator: LLVMOrcDefinitionGeneratorRef,
    context: *mut c_void,
    state: *mut LLVMOrcLookupStateRef,
    _kind: LLVMOrcLookupKind,
    _dylib: LLVMOrcJITDylibRef,
    _flags: LLVMOrcJITDylibLookupFlags,
    wanted: LLVMOrcCLookupSet,
    n_wanted: usize,
) -> LLVMErrorRef {
    // SAFETY: the box that `add_generator` gave, which is shared and lives as long as the generator.
    let owned = unsafe { &*context.cast::<GeneratorContext>() };
    let Some(session) = owned.session.upgrade() else { return ptr::null_mut() };
    // SAFETY: LLVM gives a place for the look-up's state, which is nobody else's during the call.
    let state = unsafe { &mut *state };
    let wanted = if n_wanted == 0 {
        &[]
    } else {
        // SAFETY: there are that many elements.
        unsafe { std::slice::from_raw_parts(wanted, n_wanted) }
    };
    let names = wanted
        .iter()
        .filter(|element| {
            element.LookupFlags == LLVMOrcSymbolLookupFlags::LLVMOrcSymbolLookupFlagsRequiredSymbol
        })
        // SAFETY: the names are alive during the call.
        .map(|element| unsafe { entry_name(element.Name) })
        .collect();
    // SAFETY: the generator was added to this dylib of this session, which never removes one.
    let dylib = unsafe { Dylib::new(Arc::clone(&session), owned.dylib, &owned.dylib_name) };
    let mut lookup = PendingLookup { dylib, names, state, one_thread: PhantomData };
    let result = run_generator(owned.dylib.addr().get(), || owned.generator.generate(&mut lookup));
    let suspended = lookup.state.is_null();
    match result {
        Ok(()) => ptr::null_mut(),
        Err(error) if suspended => {
            session.report(error);
            ptr::null_mut()
        }
        Err(error) => error.into_raw(),
    }
}

extern "C" fn dispose(context: *mut c_void) {
    boundary::catch_panic(|| {
        // SAFETY: LLVM gives the box that `add_generator` gave it, once.
        let owned = unsafe { Box::from_raw(context.cast::<GeneratorContext>()) };
        boundary::defer_drop(owned.generator);
    });
}
