//! What a context complains of while its modules are compiled.
//!
//! Without a handler LLVM prints such errors and ends the process. With one they are texts, and compiling fails
//! when there are any. Warnings and remarks are dropped: this crate never prints.

use std::cell::RefCell;
use std::ffi::c_void;
use std::rc::Rc;

use llvm_sys::LLVMDiagnosticSeverity;
use llvm_sys::core::{LLVMContextSetDiagnosticHandler, LLVMGetDiagInfoDescription, LLVMGetDiagInfoSeverity};
use llvm_sys::prelude::{LLVMContextRef, LLVMDiagnosticInfoRef};

use crate::error::take_message;

/// The errors so far, in a place that stays when its owner moves.
#[derive(Default)]
pub(super) struct Diagnostics(Rc<RefCell<Vec<String>>>);

impl Diagnostics {
    /// Has the context bring its complaints here.
    ///
    /// # Safety
    /// The context is alive and makes no complaint after `self` is gone.
    pub(super) unsafe fn attach(&self, context: LLVMContextRef) {
        let place = Rc::as_ptr(&self.0).cast_mut().cast();
        // SAFETY: by the caller's promise; `place` is what `receive` expects.
        unsafe { LLVMContextSetDiagnosticHandler(context, Some(receive), place) };
    }

    /// The errors since the last time, one a line.
    pub(super) fn take(&self) -> String {
        std::mem::take(&mut *self.0.borrow_mut()).join("\n")
    }
}

extern "C" fn receive(info: LLVMDiagnosticInfoRef, place: *mut c_void) {
    // SAFETY: LLVM calls this with a diagnostic that is alive during the call.
    let severity = unsafe { LLVMGetDiagInfoSeverity(info) };
    if severity != LLVMDiagnosticSeverity::LLVMDSError {
        return;
    }
    // SAFETY: as above.
    let text = unsafe { LLVMGetDiagInfoDescription(info) };
    // SAFETY: a text that is ours to give back.
    let text = unsafe { take_message(text) };
    // SAFETY: the place that `attach` gave, whose owner is alive by its caller's promise.
    let errors = unsafe { &*place.cast::<RefCell<Vec<String>>>() };
    // Nothing borrows the list while LLVM runs, so this does not panic, which it must not in a callback.
    errors.borrow_mut().push(text);
}
