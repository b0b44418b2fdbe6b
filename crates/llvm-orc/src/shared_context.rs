//! Shared context for all modules of a session, without the shim.
//!
//! LLVM compiles a module under the lock of its context. With one context, no two modules are
//! compiled at the same time, and so no two use the session's only target machine at the same time.
//!
//! The costs: each module is written to bitcode and read back, threads wait for each other to
//! compile, and the context never frees constants, types and names while the session lives.

use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use llvm_sys::bit_reader::LLVMParseBitcodeInContext2;
use llvm_sys::bit_writer::LLVMWriteBitcodeToMemoryBuffer;
use llvm_sys::core::{
    LLVMContextCreate, LLVMContextSetDiagnosticHandler, LLVMGetModuleContext, LLVMGetModuleIdentifier,
    LLVMModuleCreateWithNameInContext, LLVMSetModuleIdentifier,
};
use llvm_sys::orc2::{
    LLVMOrcCreateNewThreadSafeContextFromLLVMContext, LLVMOrcCreateNewThreadSafeModule,
    LLVMOrcDisposeThreadSafeContext, LLVMOrcDisposeThreadSafeModule, LLVMOrcOpaqueThreadSafeModule,
    LLVMOrcThreadSafeContextRef, LLVMOrcThreadSafeModuleRef,
};

use crate::error::{Error, ErrorKind};
use crate::memory_buffer::MemoryBuffer;
use crate::thread_safe_module::{receive_diagnostic, with_module};

#[derive(Default)]
pub(crate) struct SharedContext(OnceLock<LockedContext>);

/// The context, and an empty module in it. Locking that module locks the context.
struct LockedContext {
    context: LLVMOrcThreadSafeContextRef,
    anchor: LLVMOrcThreadSafeModuleRef,
}

// SAFETY: the context is used only under its lock, which `with_module` takes by the anchor.
unsafe impl Send for LockedContext {}
// SAFETY: as above.
unsafe impl Sync for LockedContext {}

impl SharedContext {
    /// Copies a module to the shared context. The caller owns the copy.
    pub(crate) fn copy_in(
        &self,
        module: LLVMOrcThreadSafeModuleRef,
    ) -> Result<NonNull<LLVMOrcOpaqueThreadSafeModule>, Error> {
        let context = self.0.get_or_init(LockedContext::new);
        let mut bitcode = None;
        let mut name = Vec::new();
        with_module(module, |module| {
            let mut length = 0;
            // SAFETY: the module is alive, and `length` is our local variable.
            let text = unsafe { LLVMGetModuleIdentifier(module, &mut length) };
            // SAFETY: the name is never null and has that many bytes.
            name = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) }.to_vec();
            // SAFETY: the module is alive.
            let buffer = unsafe { LLVMWriteBitcodeToMemoryBuffer(module) };
            // SAFETY: we own the buffer.
            bitcode = Some(unsafe { MemoryBuffer::from_raw(buffer) }?);
            Ok(())
        })?;
        let bitcode = bitcode.expect("the module was written");
        let mut copy = ptr::null_mut();
        let read = with_module(context.anchor, |anchor| {
            // SAFETY: the anchor is alive.
            let context = unsafe { LLVMGetModuleContext(anchor) };
            // SAFETY: context and bitcode are alive, `copy` is our local variable.
            let failed = unsafe { LLVMParseBitcodeInContext2(context, bitcode.raw(), &mut copy) };
            if failed == 0 { Ok(()) } else { Err(Error::new(ErrorKind::Module, "module cannot be copied")) }
        });
        // Reading a whole module copies what it needs.
        drop(bitcode);
        read?;
        // SAFETY: the copy is alive, and the text has that length.
        unsafe { LLVMSetModuleIdentifier(copy, name.as_ptr().cast(), name.len()) };
        // SAFETY: the copy belongs to that context and is passed with ownership.
        let raw = unsafe { LLVMOrcCreateNewThreadSafeModule(copy, context.context) };
        Ok(NonNull::new(raw).expect("LLVM returns the module"))
    }
}

impl LockedContext {
    fn new() -> LockedContext {
        // SAFETY: creates a context that we own.
        let context = unsafe { LLVMContextCreate() };
        // SAFETY: the context is alive. The handler needs no context pointer.
        unsafe { LLVMContextSetDiagnosticHandler(context, Some(receive_diagnostic), ptr::null_mut()) };
        // SAFETY: the context is alive and the name is NUL-terminated.
        let anchor = unsafe { LLVMModuleCreateWithNameInContext(c"anchor".as_ptr(), context) };
        // SAFETY: the context is passed with ownership.
        let context = unsafe { LLVMOrcCreateNewThreadSafeContextFromLLVMContext(context) };
        // SAFETY: the module belongs to that context and is passed with ownership.
        let anchor = unsafe { LLVMOrcCreateNewThreadSafeModule(anchor, context) };
        LockedContext { context, anchor }
    }
}

impl Drop for LockedContext {
    fn drop(&mut self) {
        // SAFETY: we own it and dispose of it once.
        unsafe { LLVMOrcDisposeThreadSafeModule(self.anchor) };
        // SAFETY: we own this reference and dispose of it once. Modules have their own.
        unsafe { LLVMOrcDisposeThreadSafeContext(self.context) };
    }
}
