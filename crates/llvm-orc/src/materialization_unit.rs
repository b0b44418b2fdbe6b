//! Materialization units: symbols whose definitions are made when one of them is first looked up.
//!
//! LLVM destroys units and overrides their symbols under the session's lock, where code that is not ours must not run,
//! because it might use the session. So a unit's own destructor runs when the call that destroyed it has left LLVM,
//! and it is told of overridden symbols just before it is to define the others.

use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Weak};

use llvm_sys::orc2::{
    LLVMOrcCreateCustomMaterializationUnit, LLVMOrcDisposeMaterializationResponsibility, LLVMOrcJITDylibRef,
    LLVMOrcMaterializationResponsibilityFailMaterialization, LLVMOrcMaterializationResponsibilityRef,
    LLVMOrcMaterializationUnitRef, LLVMOrcOpaqueJITDylib, LLVMOrcSymbolStringPoolEntryRef,
};

use crate::boundary;
use crate::dylib::Dylib;
use crate::error::{Error, ErrorKind};
use crate::responsibility::Responsibility;
use crate::session::Session;
use crate::symbols::{SymbolFlags, entry_name, flag_pairs};

/// What defines some symbols of a dylib when the first of them is looked up. See [`Dylib::define_lazily`].
///
/// A closure that takes a [`Responsibility`] is one.
///
/// What it owns may use the session, but a handle of the session that it owns ([`Dylib`], [`Jit`](crate::Jit)) keeps
/// that alive until the symbols are looked up: [`Responsibility::dylib`] is the handle to use.
pub trait Materialize: Send + 'static {
    /// Makes the definitions and hands them to the responsibility, now or later, on this thread or another.
    ///
    /// It is called once at the most, on the thread whose look-up is first to need one of the symbols, and LLVM holds no
    /// lock meanwhile. Looking up one of these symbols in here is refused, because it could never be answered.
    ///
    /// # Errors
    /// An error that is returned is the source of the error that whoever waits on this thread gets, and goes to the
    /// session's reporter. The responsibility is dropped then, and with that its symbols fail.
    fn materialize(self: Box<Self>, responsibility: Responsibility) -> Result<(), Error>;

    /// Another definition has taken the place of this weak symbol, which the responsibility does not have any more. Called
    /// just before [`materialize`](Materialize::materialize).
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

/// What LLVM's unit refers to.
struct UnitContext {
    /// The session owns the unit, so the unit does not own the session.
    session: Weak<Session>,
    dylib: NonNull<LLVMOrcOpaqueJITDylib>,
    dylib_name: Arc<str>,
    definitions: Box<dyn Materialize>,
    discarded: Vec<String>,
}

/// LLVM's unit for some definitions, to be given over.
pub(crate) fn create<'a>(
    dylib: &Dylib,
    symbols: impl IntoIterator<Item = (&'a str, SymbolFlags)>,
    definitions: Box<dyn Materialize>,
) -> Result<LLVMOrcMaterializationUnitRef, Error> {
    let mut pairs = flag_pairs(dylib.session(), symbols)?;
    if pairs.is_empty() {
        return Err(Error::new(ErrorKind::Name, "a unit needs a symbol to be looked up by"));
    }
    let unit = Box::new(UnitContext {
        session: Arc::downgrade(dylib.shared_session()),
        dylib: NonNull::new(dylib.raw()).expect("a dylib's pointer is not null"),
        dylib_name: dylib.shared_name(),
        definitions,
        discarded: Vec::new(),
    });
    // SAFETY: the pairs are as many as said, their names are given over; the functions take over the box that is given
    // with them; there is no symbol for initializers.
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

thread_local! {
    /// What this thread is materializing, innermost last: dylibs and names.
    static MATERIALIZING: RefCell<Vec<(usize, Vec<String>)>> = const { RefCell::new(Vec::new()) };
}

/// Whether this thread is materializing that symbol, so that waiting for it would never end.
pub(crate) fn is_materializing(dylib: *mut LLVMOrcOpaqueJITDylib, name: &str) -> bool {
    MATERIALIZING.with_borrow(|materializing| {
        materializing.iter().any(|(of, names)| *of == dylib.addr() && names.iter().any(|known| known == name))
    })
}

extern "C" fn materialize(context: *mut c_void, raw: LLVMOrcMaterializationResponsibilityRef) {
    boundary::catch_panic(|| {
        // SAFETY: LLVM gives the box that `custom` gave it, and calls this once, instead of `destroy`.
        let mut unit = unsafe { Box::from_raw(context.cast::<UnitContext>()) };
        let Some(session) = unit.session.upgrade() else {
            // The session is being disposed of, and nobody waits for its symbols any more.
            boundary::defer_drop(unit.definitions);
            // SAFETY: it is ours and alive.
            unsafe { LLVMOrcMaterializationResponsibilityFailMaterialization(raw) };
            // SAFETY: it is ours, and used no more.
            unsafe { LLVMOrcDisposeMaterializationResponsibility(raw) };
            return;
        };
        // SAFETY: the unit was defined in this dylib of this session, which never removes one.
        let dylib = unsafe { Dylib::new(Arc::clone(&session), unit.dylib, &unit.dylib_name) };
        let raw = NonNull::new(raw).expect("LLVM gives a responsibility");
        // SAFETY: LLVM has given it over, for symbols of the unit's dylib.
        let responsibility = unsafe { Responsibility::new(raw, dylib) };
        let names = responsibility.symbols().into_iter().map(|(name, _)| name).collect();
        MATERIALIZING.with_borrow_mut(|materializing| materializing.push((unit.dylib.addr().get(), names)));
        let made = catch_unwind(AssertUnwindSafe(|| {
            for name in &unit.discarded {
                unit.definitions.discard(name);
            }
            unit.definitions.materialize(responsibility)
        }));
        MATERIALIZING.with_borrow_mut(Vec::pop);
        match made {
            Ok(Ok(())) => {}
            Ok(Err(error)) => session.report_cause(error),
            Err(payload) => {
                let text = format!("panic while materializing: {}", boundary::panic_message(&*payload));
                session.report_cause(Error::new(ErrorKind::Link, text));
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
        // SAFETY: the box that `custom` gave, which nobody else uses while LLVM holds the session's lock.
        let unit = unsafe { &mut *context.cast::<UnitContext>() };
        // SAFETY: the name is alive during the call.
        unit.discarded.push(unsafe { entry_name(symbol) });
    });
}

extern "C" fn destroy(context: *mut c_void) {
    boundary::catch_panic(|| {
        // SAFETY: LLVM gives the box that `custom` gave it, and calls this once, instead of `materialize`.
        let unit = unsafe { Box::from_raw(context.cast::<UnitContext>()) };
        boundary::defer_drop(unit.definitions);
    });
}
