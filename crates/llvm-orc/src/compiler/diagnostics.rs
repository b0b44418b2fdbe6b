//! Diagnostics handler: collects the errors that LLVM reports while it compiles modules of a
//! context.
//!
//! Without a handler LLVM prints an error and ends the process. With this handler, compiling fails
//! with the collected texts. Warnings and remarks are dropped: this crate never prints.

use std::cell::RefCell;
use std::ffi::c_void;
use std::rc::Rc;

use llvm_sys::LLVMDiagnosticSeverity;
use llvm_sys::core::{LLVMContextSetDiagnosticHandler, LLVMGetDiagInfoDescription, LLVMGetDiagInfoSeverity};
use llvm_sys::prelude::{LLVMContextRef, LLVMDiagnosticInfoRef};

use crate::error::take_message;

/// Errors since the last `take`. Their address stays the same when the owner moves.
#[derive(Default)]
pub(super) struct Diagnostics(Rc<RefCell<Vec<String>>>);

impl Diagnostics {
    /// Registers `self` as the context's diagnostics handler.
    ///
    /// # Safety
    /// The context is alive and reports nothing after `self` was dropped.
    pub(super) unsafe fn attach(&self, context: LLVMContextRef) {
        let errors = Rc::as_ptr(&self.0).cast_mut().cast();
        // SAFETY: guaranteed by the caller. `errors` has the type that `receive` expects.
        unsafe { LLVMContextSetDiagnosticHandler(context, Some(receive), errors) };
    }

    /// Removes and returns the errors, one per line.
    pub(super) fn take(&self) -> String {
        std::mem::take(&mut *self.0.borrow_mut()).join("\n")
    }
}

extern "C" fn receive(info: LLVMDiagnosticInfoRef, errors: *mut c_void) {
    // SAFETY: the diagnostic is alive during the call.
    let severity = unsafe { LLVMGetDiagInfoSeverity(info) };
    if severity != LLVMDiagnosticSeverity::LLVMDSError {
        return;
    }
    // SAFETY: as above.
    let text = unsafe { LLVMGetDiagInfoDescription(info) };
    // SAFETY: we own the text.
    let text = unsafe { take_message(text) };
    // SAFETY: `attach` registered this pointer, and its caller keeps the owner alive.
    let errors = unsafe { &*errors.cast::<RefCell<Vec<String>>>() };
    // Cannot panic, which a callback must not: no borrow exists while LLVM runs.
    errors.borrow_mut().push(text);
}
