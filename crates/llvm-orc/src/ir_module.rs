//! Modules that the session compiles: handed over with the context they live in, optimised and turned into objects by
//! LLVM's IR layers on the thread whose look-up needs them.
//!
//! A module and its context go together, alone, so that two threads never meet in one; what is wrong with a module
//! comes back as an error, for it is checked when it is made. [`Compiler`](crate::Compiler) is the quicker way to an
//! object: it keeps its context, its passes and its target machine, while here each module has a context and, with the
//! shim, a target machine of its own. Without the shim the session's modules are moved to one context, whose lock keeps
//! them from being compiled two at a time: LLVM's C API makes one target machine for all.

use std::ffi::c_void;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use inkwell::context::Context;
use inkwell::module::Module;
use llvm_sys::LLVMDiagnosticSeverity;
use llvm_sys::core::{
    LLVMCloneModule, LLVMContextSetDiagnosticHandler, LLVMGetDiagInfoDescription, LLVMGetDiagInfoSeverity,
    LLVMGetModuleContext, LLVMSetDataLayout, LLVMSetTarget,
};
use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::lljit::{
    LLVMOrcLLJITAddLLVMIRModuleWithRT, LLVMOrcLLJITGetDataLayoutStr, LLVMOrcLLJITGetIRTransformLayer,
    LLVMOrcLLJITGetTripleString,
};
use llvm_sys::orc2::{
    LLVMOrcCreateNewThreadSafeContextFromLLVMContext, LLVMOrcCreateNewThreadSafeModule,
    LLVMOrcDisposeThreadSafeContext, LLVMOrcDisposeThreadSafeModule, LLVMOrcIRTransformLayerEmit,
    LLVMOrcOpaqueThreadSafeModule, LLVMOrcThreadSafeModuleRef, LLVMOrcThreadSafeModuleWithModuleDo,
};
use llvm_sys::prelude::{LLVMDiagnosticInfoRef, LLVMModuleRef};

use crate::boundary;
use crate::compiler::verify;
use crate::dylib::Dylib;
use crate::error::{Error, ErrorKind, take_message};
use crate::responsibility::Responsibility;
use crate::session::Session;
use crate::tracker::Tracker;

#[cfg(not(feature = "shim"))]
mod shared_context;

#[cfg(not(feature = "shim"))]
pub(crate) use shared_context::SharedContext;

/// A module with its context, ready to be compiled by a session on any thread.
pub struct IrModule {
    raw: NonNull<LLVMOrcOpaqueThreadSafeModule>,
}

// SAFETY: it owns its module, and with it, alone or under LLVM's lock, the context; nothing of either can be had from it.
unsafe impl Send for IrModule {}

impl IrModule {
    /// A module that `fill` makes in a fresh context.
    ///
    /// # Errors
    /// [`ErrorKind::Module`] if the module is malformed, or was not made in that context.
    pub fn build<F>(fill: F) -> Result<IrModule, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        crate::target::register()?;
        let context = Context::create();
        // SAFETY: the context is alive; the handler needs no place of its own.
        unsafe { LLVMContextSetDiagnosticHandler(context.raw(), Some(receive_diagnostic), ptr::null_mut()) };
        let module = fill(&context);
        // SAFETY: the module is alive.
        let home = unsafe { LLVMGetModuleContext(module.as_mut_ptr()) };
        if home != context.raw() {
            return Err(Error::new(ErrorKind::Module, "module belongs to another context than it was given"));
        }
        verify(module.as_mut_ptr())?;
        // SAFETY: the module is alive. The copy is nobody's but ours, whatever `fill` has done with the original.
        let copy = unsafe { LLVMCloneModule(module.as_mut_ptr()) };
        drop(module);
        let context = ManuallyDrop::new(context);
        // SAFETY: the context is given over: its owner does not dispose of it.
        let shared = unsafe { LLVMOrcCreateNewThreadSafeContextFromLLVMContext(context.raw()) };
        // SAFETY: the copy is given over, and lives in that context.
        let raw = unsafe { LLVMOrcCreateNewThreadSafeModule(copy, shared) };
        // SAFETY: our share, used no more; the module has one of its own.
        unsafe { LLVMOrcDisposeThreadSafeContext(shared) };
        Ok(IrModule { raw: NonNull::new(raw).expect("LLVM gives back the module it was given") })
    }

    /// Makes the module the session's: its triple and data layout, and without the shim its context.
    fn prepare_for(self, session: &Session) -> Result<LLVMOrcThreadSafeModuleRef, Error> {
        with_module(self.raw.as_ptr(), |module| {
            // SAFETY: the LLJIT is alive.
            let triple = unsafe { LLVMOrcLLJITGetTripleString(session.lljit()) };
            // SAFETY: the module is alive and the text, ended by NUL, is copied.
            unsafe { LLVMSetTarget(module, triple) };
            // SAFETY: the LLJIT is alive.
            let layout = unsafe { LLVMOrcLLJITGetDataLayoutStr(session.lljit()) };
            // SAFETY: the module is alive and the text, ended by NUL, is copied.
            unsafe { LLVMSetDataLayout(module, layout) };
            Ok(())
        })?;
        #[cfg(not(feature = "shim"))]
        let this = session.ir_transforms().shared_context.copy_in(&self)?;
        #[cfg(feature = "shim")]
        let this = self;
        Ok(ManuallyDrop::new(this).raw.as_ptr())
    }
}

impl Drop for IrModule {
    fn drop(&mut self) {
        // SAFETY: ours, and given back once.
        unsafe { LLVMOrcDisposeThreadSafeModule(self.raw.as_ptr()) };
    }
}

impl fmt::Debug for IrModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrModule").finish_non_exhaustive()
    }
}

impl Dylib {
    /// Puts a module's symbols into this dylib. It is compiled and linked when one of them is first looked up.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if one of its symbols is defined already.
    pub fn add_module(&self, module: IrModule) -> Result<Tracker, Error> {
        let raw = module.prepare_for(self.session())?;
        let tracker = Tracker::new(self.clone());
        boundary::call_llvm(|| {
            // SAFETY: LLJIT and tracker are alive; the module is given over.
            let error =
                unsafe { LLVMOrcLLJITAddLLVMIRModuleWithRT(self.session().lljit(), tracker.raw(), raw) };
            // SAFETY: the error is ours alone.
            unsafe { Error::check(error, ErrorKind::Module) }
        })?;
        Ok(tracker)
    }
}

impl Responsibility {
    /// Defines the symbols by a module, which is transformed, compiled and linked now. It must define these symbols and no
    /// others that are not local. A failure goes to those who wait, and to the session's reporter.
    pub fn emit_module(mut self, module: IrModule) {
        let session = self.dylib().clone();
        let session = session.session();
        let raw_module = match module.prepare_for(session) {
            Ok(raw) => raw,
            Err(error) => return self.fail(error),
        };
        let raw = self.take_raw();
        boundary::call_llvm_nested(|| {
            // SAFETY: the LLJIT is alive, which keeps the layer.
            let layer = unsafe { LLVMOrcLLJITGetIRTransformLayer(session.lljit()) };
            // SAFETY: the layer is alive; responsibility and module are given over.
            unsafe { LLVMOrcIRTransformLayerEmit(layer, raw, raw_module) };
        });
    }
}

/// Runs `work` upon the module, under its context's lock.
pub(crate) fn with_module(
    module: LLVMOrcThreadSafeModuleRef,
    work: impl FnOnce(LLVMModuleRef) -> Result<(), Error>,
) -> Result<(), Error> {
    struct Work<F> {
        work: Option<F>,
        result: Result<(), Error>,
    }
    extern "C" fn run<F: FnOnce(LLVMModuleRef) -> Result<(), Error>>(
        context: *mut c_void,
        module: LLVMModuleRef,
    ) -> LLVMErrorRef {
        // SAFETY: the place below, which nobody else uses meanwhile.
        let place = unsafe { &mut *context.cast::<Work<F>>() };
        if let Some(work) = place.work.take() {
            place.result = boundary::catch_panic_as_error(|| work(module));
        }
        ptr::null_mut()
    }
    fn runner<F: FnOnce(LLVMModuleRef) -> Result<(), Error>>(
        _: &Work<F>,
    ) -> llvm_sys::orc2::LLVMOrcGenericIRModuleOperationFunction {
        run::<F>
    }
    let mut place = Work { work: Some(work), result: Ok(()) };
    let function = runner(&place);
    // SAFETY: the module is alive; the function gets the place it expects, and gives back no error.
    unsafe { LLVMOrcThreadSafeModuleWithModuleDo(module, function, ptr::from_mut(&mut place).cast()) };
    place.result
}

/// Keeps what a context complains of for the session's object transform, which comes next on this thread.
extern "C" fn receive_diagnostic(info: LLVMDiagnosticInfoRef, _: *mut c_void) {
    // SAFETY: LLVM calls this with a diagnostic that is alive during the call.
    let severity = unsafe { LLVMGetDiagInfoSeverity(info) };
    if severity != LLVMDiagnosticSeverity::LLVMDSError {
        return;
    }
    // SAFETY: as above.
    let text = unsafe { LLVMGetDiagInfoDescription(info) };
    // SAFETY: a text that is ours to give back.
    boundary::add_diagnostic(unsafe { take_message(text) });
}
