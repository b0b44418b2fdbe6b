//! One context for all modules of a session, without the shim.
//!
//! LLVM compiles a module under the lock of its context. With one context for all, no two are compiled at once, and so
//! none meets another in the target machine that LLVM's C API makes for all of them. What it costs: each module is written as
//! bitcode and read again, compiling waits for compiling, and what the context has seen it keeps as long as the session.

use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use llvm_sys::bit_reader::LLVMParseBitcodeInContext2;
use llvm_sys::bit_writer::LLVMWriteBitcodeToMemoryBuffer;
use llvm_sys::core::{
    LLVMContextCreate, LLVMContextSetDiagnosticHandler, LLVMDisposeMemoryBuffer, LLVMGetModuleContext,
    LLVMGetModuleIdentifier, LLVMModuleCreateWithNameInContext, LLVMSetModuleIdentifier,
};
use llvm_sys::orc2::{
    LLVMOrcCreateNewThreadSafeContextFromLLVMContext, LLVMOrcCreateNewThreadSafeModule,
    LLVMOrcDisposeThreadSafeContext, LLVMOrcDisposeThreadSafeModule, LLVMOrcThreadSafeContextRef,
    LLVMOrcThreadSafeModuleRef,
};

use super::{IrModule, receive_diagnostic, with_module};
use crate::error::{Error, ErrorKind};

#[derive(Default)]
pub(crate) struct SharedContext(OnceLock<LockedContext>);

/// The context, and an empty module in it, by which its lock is taken.
struct LockedContext {
    context: LLVMOrcThreadSafeContextRef,
    anchor: LLVMOrcThreadSafeModuleRef,
}

// SAFETY: the context is used under its lock only, which `with_module` takes by the anchor.
unsafe impl Send for LockedContext {}
// SAFETY: as above.
unsafe impl Sync for LockedContext {}

impl SharedContext {
    /// A copy of the module that lives in the shared context.
    pub(super) fn copy_in(&self, module: &IrModule) -> Result<IrModule, Error> {
        let place = self.0.get_or_init(LockedContext::new);
        let mut bitcode = ptr::null_mut();
        let mut name = Vec::new();
        with_module(module.raw.as_ptr(), |module| {
            let mut length = 0;
            // SAFETY: the module is alive, `length` a place of ours.
            let text = unsafe { LLVMGetModuleIdentifier(module, &mut length) };
            // SAFETY: the module's name has that many bytes, never null.
            name = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) }.to_vec();
            // SAFETY: the module is alive.
            bitcode = unsafe { LLVMWriteBitcodeToMemoryBuffer(module) };
            Ok(())
        })?;
        let mut copy = ptr::null_mut();
        let read = with_module(place.anchor, |anchor| {
            // SAFETY: the anchor is alive.
            let context = unsafe { LLVMGetModuleContext(anchor) };
            // SAFETY: context and bitcode are alive, `copy` is a place of ours.
            let failed = unsafe { LLVMParseBitcodeInContext2(context, bitcode, &mut copy) };
            if failed == 0 { Ok(()) } else { Err(Error::new(ErrorKind::Module, "module cannot be copied")) }
        });
        // SAFETY: the buffer is ours, and reading a whole module has taken what it needed.
        unsafe { LLVMDisposeMemoryBuffer(bitcode) };
        read?;
        // SAFETY: the copy is alive, and the text as long as said.
        unsafe { LLVMSetModuleIdentifier(copy, name.as_ptr().cast(), name.len()) };
        // SAFETY: the copy is given over, and lives in that context.
        let raw = unsafe { LLVMOrcCreateNewThreadSafeModule(copy, place.context) };
        Ok(IrModule { raw: NonNull::new(raw).expect("LLVM gives back the module it was given") })
    }
}

impl LockedContext {
    fn new() -> LockedContext {
        // SAFETY: makes a context of ours.
        let context = unsafe { LLVMContextCreate() };
        // SAFETY: the context is alive; the handler needs no place of its own.
        unsafe { LLVMContextSetDiagnosticHandler(context, Some(receive_diagnostic), ptr::null_mut()) };
        // SAFETY: the context is alive and the name ended by NUL.
        let anchor = unsafe { LLVMModuleCreateWithNameInContext(c"anchor".as_ptr(), context) };
        // SAFETY: the context is given over.
        let context = unsafe { LLVMOrcCreateNewThreadSafeContextFromLLVMContext(context) };
        // SAFETY: the module is given over, and lives in that context.
        let anchor = unsafe { LLVMOrcCreateNewThreadSafeModule(anchor, context) };
        LockedContext { context, anchor }
    }
}

impl Drop for LockedContext {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { LLVMOrcDisposeThreadSafeModule(self.anchor) };
        // SAFETY: ours, given back once; modules that live in it have shares of their own.
        unsafe { LLVMOrcDisposeThreadSafeContext(self.context) };
    }
}
