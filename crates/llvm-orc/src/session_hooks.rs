//! Session hooks: the closures of the program that a session's layers call.

use std::ffi::c_void;
#[cfg(feature = "inkwell")]
use std::mem::ManuallyDrop;
use std::ptr;

#[cfg(feature = "inkwell")]
use inkwell::module::Module;
use llvm_sys::error::LLVMErrorRef;
use llvm_sys::prelude::{LLVMMemoryBufferRef, LLVMModuleRef};

use crate::boundary;
#[cfg(feature = "inkwell")]
use crate::code_generator::CodeGenerator;
use crate::linked_object::{LinkedObject, RawLinkedObject};
#[cfg(feature = "inkwell")]
use crate::memory_buffer::MemoryBuffer;

/// Sees each linked object.
pub(crate) type OnLinked = Box<dyn Fn(&LinkedObject<'_>) + Send + Sync>;

/// Generates code for a module.
#[cfg(feature = "inkwell")]
pub(crate) type Generate = Box<dyn for<'a> CodeGenerator<Module<'a>>>;

/// The hooks of a session. LLVM has a pointer to them.
#[derive(Default)]
pub(crate) struct SessionHooks {
    pub(crate) on_linked: Option<OnLinked>,
    #[cfg(feature = "inkwell")]
    pub(crate) generate: Option<Generate>,
}

/// Same layout as `SessionHooks` in shim/session_hooks.h.
#[repr(C)]
pub(crate) struct RawHooks {
    context: *mut c_void,
    generate: Option<extern "C" fn(*mut c_void, LLVMModuleRef, *mut LLVMMemoryBufferRef) -> LLVMErrorRef>,
    linked: Option<unsafe extern "C" fn(*mut c_void, *const RawLinkedObject)>,
}

impl SessionHooks {
    /// For the shim. The hooks must outlive the session.
    pub(crate) fn raw(&self) -> RawHooks {
        RawHooks {
            context: ptr::from_ref(self).cast_mut().cast(),
            #[cfg(feature = "inkwell")]
            generate: self.generate.is_some().then_some(generate),
            #[cfg(not(feature = "inkwell"))]
            generate: None,
            linked: self.on_linked.is_some().then_some(linked),
        }
    }
}

#[cfg(feature = "inkwell")]
extern "C" fn generate(
    context: *mut c_void,
    module: LLVMModuleRef,
    result: *mut LLVMMemoryBufferRef,
) -> LLVMErrorRef {
    let generated = boundary::catch_panic_as_error(|| {
        // SAFETY: the session's hooks, which outlive it.
        let hooks = unsafe { &*context.cast::<SessionHooks>() };
        let generate = hooks.generate.as_ref().expect("it is registered only if there is one");
        // SAFETY: the module is alive, and `ManuallyDrop` prevents its disposal.
        let module = ManuallyDrop::new(unsafe { Module::new(module) });
        MemoryBuffer::copy_of(generate.generate(&module)?.bytes())
    });
    match generated {
        Ok(buffer) => {
            // SAFETY: the shim passes a valid pointer, and takes ownership of the buffer.
            unsafe { *result = buffer.into_raw() };
            ptr::null_mut()
        }
        Err(error) => error.into_raw(),
    }
}

/// # Safety
/// The shim passes an object that is alive during the call.
unsafe extern "C" fn linked(context: *mut c_void, object: *const RawLinkedObject) {
    boundary::catch_panic(|| {
        // SAFETY: the session's hooks, which outlive it.
        let hooks = unsafe { &*context.cast::<SessionHooks>() };
        // SAFETY: guaranteed by the caller.
        let object = unsafe { &*object };
        if let Some(on_linked) = &hooks.on_linked {
            on_linked(&LinkedObject::new(object));
        }
    });
}
