//! IR modules that a session compiles, on the thread whose look-up needs the code.
//!
//! A module owns its context, so two threads never use one context at the same time. Modules are
//! verified when they are built. LLVM's IR layers optimize and compile them.
//!
//! [`Compiler`](crate::Compiler) is faster, because it reuses its context, passes and target
//! machine. Here each module has its own context and, with the shim, its own target machine.
//! Without the shim, LLVM's C API creates one target machine for the whole session. Modules are
//! then copied to one shared context, whose lock prevents two modules from being compiled at the
//! same time.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use inkwell::context::Context;
use inkwell::module::Module;
use llvm_sys::core::{
    LLVMCloneModule, LLVMContextSetDiagnosticHandler, LLVMGetModuleContext, LLVMSetDataLayout, LLVMSetTarget,
};
use llvm_sys::orc2::lljit::{
    LLVMOrcLLJITAddLLVMIRModuleWithRT, LLVMOrcLLJITGetDataLayoutStr, LLVMOrcLLJITGetIRTransformLayer,
    LLVMOrcLLJITGetTripleString,
};
use llvm_sys::orc2::{
    LLVMOrcCreateNewThreadSafeContextFromLLVMContext, LLVMOrcCreateNewThreadSafeModule,
    LLVMOrcDisposeThreadSafeContext, LLVMOrcDisposeThreadSafeModule, LLVMOrcIRTransformLayerEmit,
    LLVMOrcOpaqueThreadSafeModule, LLVMOrcThreadSafeModuleRef,
};

use crate::boundary;
use crate::compiler::verify;
use crate::dylib::Dylib;
use crate::error::{Error, ErrorKind};
use crate::out_of_memory::InsideLlvm;
use crate::reentrancy;
use crate::responsibility::Responsibility;
use crate::session::Session;
use crate::thread_safe_module::{receive_diagnostic, with_module};
use crate::tracker::Tracker;

/// A verified module with its own context. A session can compile it on any thread.
pub struct IrModule {
    raw: NonNull<LLVMOrcOpaqueThreadSafeModule>,
}

// SAFETY: the value owns its module and context, the context alone or under LLVM's lock. It gives
// no access to either.
unsafe impl Send for IrModule {}

impl IrModule {
    /// Builds a module in a new context.
    ///
    /// # Errors
    /// [`ErrorKind::Module`] if the module is malformed or belongs to another context than the one
    /// that `fill` received.
    pub fn build<F>(fill: F) -> Result<IrModule, Error>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Module<'cx>,
    {
        IrModule::try_build(|cx| Ok(fill(cx)))
    }

    /// Like [`build`](IrModule::build), for a closure that can fail. Its error is returned.
    ///
    /// # Errors
    /// The error of `fill`, and those of [`build`](IrModule::build).
    pub fn try_build<F, E>(fill: F) -> Result<IrModule, E>
    where
        F: for<'cx> FnOnce(&'cx Context) -> Result<Module<'cx>, E>,
        E: From<Error>,
    {
        let _inside = InsideLlvm::enter();
        crate::target::register()?;
        let context = Context::create();
        // SAFETY: the context is alive. The handler needs no context pointer.
        unsafe { LLVMContextSetDiagnosticHandler(context.raw(), Some(receive_diagnostic), ptr::null_mut()) };
        let module = fill(&context)?;
        // SAFETY: the module is alive.
        let module_context = unsafe { LLVMGetModuleContext(module.as_mut_ptr()) };
        if module_context != context.raw() {
            return Err(Error::new(
                ErrorKind::Module,
                "module belongs to another context than the one it was given",
            )
            .into());
        }
        verify(module.as_mut_ptr())?;
        // SAFETY: the module is alive. We own the copy even if `fill` leaked the original.
        let copy = unsafe { LLVMCloneModule(module.as_mut_ptr()) };
        drop(module);
        let context = ManuallyDrop::new(context);
        // SAFETY: the context is passed with ownership, and `ManuallyDrop` prevents a second
        // disposal.
        let shared_context = unsafe { LLVMOrcCreateNewThreadSafeContextFromLLVMContext(context.raw()) };
        // SAFETY: the copy belongs to that context and is passed with ownership.
        let raw = unsafe { LLVMOrcCreateNewThreadSafeModule(copy, shared_context) };
        // SAFETY: our reference, not used again. The module has its own.
        unsafe { LLVMOrcDisposeThreadSafeContext(shared_context) };
        Ok(IrModule { raw: NonNull::new(raw).expect("LLVM returns the module") })
    }

    /// Sets the session's triple and data layout. Without the shim, copies the module to the
    /// session's shared context.
    fn prepare_for(self, session: &Session) -> Result<LLVMOrcThreadSafeModuleRef, Error> {
        let _inside = InsideLlvm::enter();
        with_module(self.raw.as_ptr(), |module| {
            // SAFETY: the LLJIT is alive.
            let triple = unsafe { LLVMOrcLLJITGetTripleString(session.lljit()) };
            // SAFETY: the module is alive and the text is NUL-terminated. LLVM copies the text.
            unsafe { LLVMSetTarget(module, triple) };
            // SAFETY: the LLJIT is alive.
            let layout = unsafe { LLVMOrcLLJITGetDataLayoutStr(session.lljit()) };
            // SAFETY: the module is alive and the text is NUL-terminated. LLVM copies the text.
            unsafe { LLVMSetDataLayout(module, layout) };
            Ok(())
        })?;
        #[cfg(not(feature = "shim"))]
        let this = IrModule { raw: session.ir_transforms().shared_context.copy_in(self.raw.as_ptr())? };
        #[cfg(feature = "shim")]
        let this = self;
        Ok(ManuallyDrop::new(this).raw.as_ptr())
    }
}

impl Drop for IrModule {
    fn drop(&mut self) {
        // SAFETY: we own it and dispose of it once.
        unsafe { LLVMOrcDisposeThreadSafeModule(self.raw.as_ptr()) };
    }
}

impl fmt::Debug for IrModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrModule").finish_non_exhaustive()
    }
}

impl Dylib {
    /// Adds a module's symbols. The module is compiled and linked when one of them is first looked
    /// up.
    ///
    /// # Errors
    /// [`ErrorKind::Duplicate`] if a symbol is already defined.
    pub fn add_module(&self, module: IrModule) -> Result<Tracker, Error> {
        let raw = module.prepare_for(self.session())?;
        let tracker = Tracker::new(self.clone());
        boundary::call_llvm(|| {
            // SAFETY: LLJIT and tracker are alive. The module is passed with ownership.
            let error =
                unsafe { LLVMOrcLLJITAddLLVMIRModuleWithRT(self.session().lljit(), tracker.raw(), raw) };
            // SAFETY: we own the error.
            unsafe { Error::check(error, ErrorKind::Module) }
        })?;
        Ok(tracker)
    }
}

impl Responsibility {
    /// Defines the symbols by a module, which is transformed, compiled and linked now. The module's
    /// non-local symbols must be exactly these. A failure goes to the waiting look-ups and to the
    /// session's reporter.
    pub fn emit_module(mut self, module: IrModule) {
        let session = self.dylib().clone();
        let session = session.session();
        let raw_module = match module.prepare_for(session) {
            Ok(raw) => raw,
            Err(error) => return self.fail(error),
        };
        let names = self.names();
        let raw = self.take_raw();
        boundary::call_llvm_nested(|| {
            // SAFETY: the LLJIT is alive and owns the layer.
            let layer = unsafe { LLVMOrcLLJITGetIRTransformLayer(session.lljit()) };
            // SAFETY: the layer is alive. Responsibility and module are passed with ownership.
            unsafe { LLVMOrcIRTransformLayerEmit(layer, raw, raw_module) };
        });
        reentrancy::emission_ended(self.dylib().raw(), &names);
    }
}
