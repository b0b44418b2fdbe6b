//! Materialization units: symbols whose definitions are created when one of them is first looked
//! up.
//!
//! LLVM destroys units and overrides their symbols under the session's lock. The program's code
//! must not run there, because it might use the session. Therefore a unit's destructor runs when
//! the call that destroyed the unit has left LLVM, and a unit learns of overridden symbols just
//! before it is materialized.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Weak};

use llvm_sys::orc2::{
    LLVMOrcCreateCustomMaterializationUnit, LLVMOrcDisposeMaterializationResponsibility, LLVMOrcJITDylibRef,
    LLVMOrcMaterializationResponsibilityFailMaterialization, LLVMOrcMaterializationResponsibilityRef,
    LLVMOrcMaterializationResponsibilityReplace, LLVMOrcMaterializationUnitRef, LLVMOrcOpaqueJITDylib,
    LLVMOrcSymbolStringPoolEntryRef,
};

use crate::boundary;
use crate::dylib::Dylib;
use crate::error::{Error, ErrorKind};
use crate::out_of_memory::InsideLlvm;
use crate::reentrancy;
use crate::responsibility::{Responsibility, collect_dropped};
use crate::session::Session;
use crate::symbols::{SymbolFlags, entry_name, flag_pairs};

/// Creates the definitions of symbols when the first of them is looked up. See
/// [`Dylib::define_lazily`].
///
/// Closures that take a [`Responsibility`] implement this trait.
///
/// An implementation may use the session by [`Responsibility::dylib`]. It should not own a
/// [`Dylib`] or [`Jit`](crate::Jit), because such a handle keeps the session alive until the
/// symbols are looked up.
pub trait Materialize: Send + 'static {
    /// Creates the definitions and passes them to the responsibility, now or later, on any thread.
    ///
    /// LLVM calls this method at most once, on the first thread whose look-up needs one of the
    /// symbols, and holds no lock during the call. A look-up in this method that needs one of these
    /// symbols before they are emitted is an error, because it would wait for itself.
    ///
    /// # Errors
    /// An error goes to the session's reporter and becomes the source of the error of a look-up on
    /// this thread. The responsibility is dropped, so its symbols fail.
    fn materialize(self: Box<Self>, responsibility: Responsibility) -> Result<(), Error>;

    /// Another definition has overridden this weak symbol, which the responsibility does not
    /// contain any more. Called just before [`materialize`](Materialize::materialize).
    fn discard(&mut self, name: &str) {
        let _ = name;
    }
}

impl<F> Materialize for F
where
    F: FnOnce(Responsibility) -> Result<(), Error> + Send + 'static,
{
    fn materialize(self: Box<Self>, responsibility: Responsibility) -> Result<(), Error> {
        (*self)(responsibility)
    }
}

/// Context pointer of LLVM's unit.
struct UnitContext {
    /// Weak, because the session owns the unit.
    session: Weak<Session>,
    dylib: NonNull<LLVMOrcOpaqueJITDylib>,
    dylib_name: Arc<str>,
    definitions: Box<dyn Materialize>,
    discarded: Vec<String>,
}

/// Creates LLVM's unit. The caller owns the unit.
pub(crate) fn create<'a>(
    dylib: &Dylib,
    symbols: impl IntoIterator<Item = (&'a str, SymbolFlags)>,
    definitions: Box<dyn Materialize>,
) -> Result<LLVMOrcMaterializationUnitRef, Error> {
    let mut pairs = flag_pairs(dylib.session(), symbols)?;
    if pairs.is_empty() {
        return Err(Error::new(ErrorKind::Name, "a unit needs at least one symbol"));
    }
    let unit = Box::new(UnitContext {
        session: Arc::downgrade(dylib.shared_session()),
        dylib: NonNull::new(dylib.raw()).expect("a dylib's pointer is not null"),
        dylib_name: dylib.shared_name(),
        definitions,
        discarded: Vec::new(),
    });
    let _inside = InsideLlvm::enter();
    // SAFETY: the array has `len` pairs, and each name is passed with one reference count. LLVM
    // owns the box and passes it to these functions. The null pointer means no initializer symbol.
    let raw = unsafe {
        LLVMOrcCreateCustomMaterializationUnit(
            c"definitions".as_ptr(),
            Box::into_raw(unit).cast(),
            pairs.as_mut_ptr(),
            pairs.len(),
            ptr::null_mut(),
            materialize,
            discard,
            destroy,
        )
    };
    Ok(raw)
}

impl Responsibility {
    /// Returns the symbols to their dylib, defined by another unit. Symbols that look-ups have
    /// requested are materialized by the new unit at once, the others when they are looked up.
    ///
    /// # Errors
    /// [`ErrorKind::Session`] if LLVM refuses. The symbols fail then.
    pub fn replace(self, definitions: impl Materialize) -> Result<(), Error> {
        let symbols = self.symbols();
        let named = symbols.iter().map(|(name, flags)| (name.as_str(), *flags));
        let unit = create(self.dylib(), named, Box::new(definitions))?;
        boundary::call_llvm(|| {
            // SAFETY: the responsibility is alive. The unit is passed with ownership.
            let error = unsafe { LLVMOrcMaterializationResponsibilityReplace(self.raw(), unit) };
            // SAFETY: we own the error.
            unsafe { Error::check(error, ErrorKind::Session) }
        })?;
        self.dispose();
        Ok(())
    }
}

extern "C" fn materialize(context: *mut c_void, raw: LLVMOrcMaterializationResponsibilityRef) {
    boundary::catch_panic(|| {
        // SAFETY: the box from `create`. LLVM calls this function once, instead of `destroy`.
        let mut unit = unsafe { Box::from_raw(context.cast::<UnitContext>()) };
        let Some(session) = unit.session.upgrade() else {
            // The session is being disposed of, so no look-up waits for the symbols.
            boundary::defer_drop(unit.definitions);
            // SAFETY: we own the responsibility, which is alive.
            unsafe { LLVMOrcMaterializationResponsibilityFailMaterialization(raw) };
            // SAFETY: we own the responsibility, which is not used again.
            unsafe { LLVMOrcDisposeMaterializationResponsibility(raw) };
            return;
        };
        // SAFETY: the unit belongs to this dylib of this session, which frees none.
        let dylib = unsafe { Dylib::new(Arc::clone(&session), unit.dylib, &unit.dylib_name) };
        let raw = NonNull::new(raw).expect("LLVM passes a responsibility");
        // SAFETY: LLVM passed ownership. The symbols belong to the unit's dylib.
        let responsibility = unsafe { Responsibility::new(raw, dylib) };
        let names = responsibility.names();
        let address = unit.dylib.addr().get();
        let (result, dropped) = collect_dropped(address, names.clone(), || {
            reentrancy::materializing(address, names, || {
                catch_unwind(AssertUnwindSafe(|| {
                    for name in &unit.discarded {
                        unit.definitions.discard(name);
                    }
                    unit.definitions.materialize(responsibility)
                }))
            })
        });
        let fail_dropped = |dropped: Vec<Responsibility>, error: Error| {
            dropped.iter().for_each(|responsibility| responsibility.remember_failure(&error));
            session.reports().report_cause(error);
            dropped.into_iter().for_each(Responsibility::fail_silently);
        };
        match result {
            Ok(Ok(())) => dropped.into_iter().for_each(Responsibility::fail_as_dropped),
            Ok(Err(error)) => fail_dropped(dropped, error),
            Err(payload) => {
                let text = format!("panic while materializing: {}", boundary::panic_message(&*payload));
                fail_dropped(dropped, Error::new(ErrorKind::Link, text));
                resume_unwind(payload);
            }
        }
    });
}

extern "C" fn discard(
    context: *mut c_void,
    _dylib: LLVMOrcJITDylibRef,
    symbol: LLVMOrcSymbolStringPoolEntryRef,
) {
    boundary::catch_panic(|| {
        // SAFETY: the box from `create`. LLVM holds the session's lock, so only this thread uses
        // it.
        let unit = unsafe { &mut *context.cast::<UnitContext>() };
        // SAFETY: the name is alive during the call.
        unit.discarded.push(unsafe { entry_name(symbol) });
    });
}

extern "C" fn destroy(context: *mut c_void) {
    boundary::catch_panic(|| {
        // SAFETY: the box from `create`. LLVM calls this function once, instead of `materialize`.
        let unit = unsafe { Box::from_raw(context.cast::<UnitContext>()) };
        boundary::defer_drop(unit.definitions);
    });
}
