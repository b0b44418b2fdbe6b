//! LLVM's thread-safe modules: access under the lock of their context, and their diagnostics.

use std::ffi::c_void;
use std::ptr;

use llvm_sys::LLVMDiagnosticSeverity;
use llvm_sys::core::{LLVMGetDiagInfoDescription, LLVMGetDiagInfoSeverity};
use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::{LLVMOrcThreadSafeModuleRef, LLVMOrcThreadSafeModuleWithModuleDo};
use llvm_sys::prelude::{LLVMDiagnosticInfoRef, LLVMModuleRef};

use crate::boundary;
use crate::error::{Error, take_message};

/// Runs `work` on the module, under the lock of its context.
pub(crate) fn with_module(
    module: LLVMOrcThreadSafeModuleRef,
    work: impl FnOnce(LLVMModuleRef) -> Result<(), Error>,
) -> Result<(), Error> {
    struct WorkState<F> {
        work: Option<F>,
        result: Result<(), Error>,
    }
    extern "C" fn run<F: FnOnce(LLVMModuleRef) -> Result<(), Error>>(
        context: *mut c_void,
        module: LLVMModuleRef,
    ) -> LLVMErrorRef {
        // SAFETY: the local variable below, which only this call uses.
        let state = unsafe { &mut *context.cast::<WorkState<F>>() };
        if let Some(work) = state.work.take() {
            state.result = boundary::catch_panic_as_error(|| work(module));
        }
        ptr::null_mut()
    }
    fn callback_for<F: FnOnce(LLVMModuleRef) -> Result<(), Error>>(
        _: &WorkState<F>,
    ) -> llvm_sys::orc2::LLVMOrcGenericIRModuleOperationFunction {
        run::<F>
    }
    let mut state = WorkState { work: Some(work), result: Ok(()) };
    let function = callback_for(&state);
    // SAFETY: the module is alive. The function gets the context pointer that it expects and
    // returns no error.
    unsafe { LLVMOrcThreadSafeModuleWithModuleDo(module, function, ptr::from_mut(&mut state).cast()) };
    state.result
}

/// Stores an error of a context. The object transform, which runs next on this thread, returns it.
pub(crate) extern "C" fn receive_diagnostic(info: LLVMDiagnosticInfoRef, _: *mut c_void) {
    // SAFETY: the diagnostic is alive during the call.
    let severity = unsafe { LLVMGetDiagInfoSeverity(info) };
    if severity != LLVMDiagnosticSeverity::LLVMDSError {
        return;
    }
    // SAFETY: as above.
    let text = unsafe { LLVMGetDiagInfoDescription(info) };
    // SAFETY: we own the text.
    boundary::add_diagnostic(unsafe { take_message(text) });
}
