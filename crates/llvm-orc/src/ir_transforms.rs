//! IR transforms: the closure and the passes that a session runs on each module before it compiles
//! it.
//!
//! Relies on target machines that are reused from module to module, one per thread at a time.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use inkwell::module::Module;
use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::lljit::{LLVMOrcLLJITGetIRTransformLayer, LLVMOrcOpaqueLLJIT};
use llvm_sys::orc2::{
    LLVMOrcDisposeThreadSafeModule, LLVMOrcIRTransformLayerSetTransform,
    LLVMOrcMaterializationResponsibilityRef, LLVMOrcThreadSafeModuleRef,
};
use llvm_sys::prelude::LLVMModuleRef;

use crate::boundary;
use crate::compiler::{Passes, optimize_once, verify};
use crate::error::Error;
#[cfg(not(feature = "shim"))]
use crate::shared_context::SharedContext;
use crate::target::{OptLevel, Target};
use crate::target_machine::TargetMachine;
use crate::thread_safe_module::with_module;

type Transform = Box<dyn Fn(&Module<'_>) -> Result<(), Error> + Send + Sync>;

/// A session's transform and passes, and what they need.
#[derive(Default)]
pub(crate) struct IrTransforms {
    pub(crate) transform: Option<Transform>,
    pub(crate) passes: Option<(Passes, OptLevel)>,
    pub(crate) target: Option<Target>,
    /// Target machines that no thread is using.
    machines: MachinePool,
    #[cfg(not(feature = "shim"))]
    pub(crate) shared_context: SharedContext,
}

#[derive(Default)]
struct MachinePool(Mutex<Vec<TargetMachine>>);

// SAFETY: a target machine may be used by any thread, one at a time. A thread takes it from the
// list to use it.
unsafe impl Send for MachinePool {}
// SAFETY: as above. The list has a lock.
unsafe impl Sync for MachinePool {}

impl IrTransforms {
    /// Registers the transforms with the LLJIT's IR transform layer.
    ///
    /// # Safety
    /// The LLJIT is alive and not shared yet, and `transforms` outlives it.
    pub(crate) unsafe fn attach(transforms: &IrTransforms, lljit: *mut LLVMOrcOpaqueLLJIT) {
        // SAFETY: guaranteed by the caller.
        let layer = unsafe { LLVMOrcLLJITGetIRTransformLayer(lljit) };
        let context = ptr::from_ref(transforms).cast_mut().cast();
        // SAFETY: the layer is alive and not shared yet. `context` has the type that `transform`
        // expects.
        unsafe { LLVMOrcIRTransformLayerSetTransform(layer, transform, context) };
    }

    fn apply(&self, raw: LLVMModuleRef) -> Result<(), Error> {
        if let Some(transform) = &self.transform {
            // SAFETY: the module is alive, and `ManuallyDrop` prevents its disposal.
            let module = ManuallyDrop::new(unsafe { Module::new(raw) });
            transform(&module)?;
            verify(raw)?;
        }
        let Some((passes, level)) = &self.passes else { return Ok(()) };
        let idle = self.machines.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let machine = match (idle, &self.target) {
            (Some(machine), _) => machine,
            (None, Some(target)) => TargetMachine::new(target, *level)?,
            (None, None) => TargetMachine::new(&Target::host()?, *level)?,
        };
        let optimized = optimize_once(&machine, raw, passes);
        self.machines.0.lock().unwrap_or_else(PoisonError::into_inner).push(machine);
        optimized
    }
}

/// LLVM's callback for each module before it is compiled. A failing transform must dispose of the
/// module and set it to null.
extern "C" fn transform(
    context: *mut c_void,
    module_slot: *mut LLVMOrcThreadSafeModuleRef,
    _responsibility: LLVMOrcMaterializationResponsibilityRef,
) -> LLVMErrorRef {
    // SAFETY: LLVM passes a valid pointer to a module.
    let raw = unsafe { *module_slot };
    let result = boundary::catch_panic_as_error(|| {
        // Drops diagnostics of an earlier module that did not reach the object transform.
        boundary::take_diagnostics();
        // SAFETY: `attach` registered this pointer, and its caller keeps it alive longer than the
        // LLJIT.
        let transforms = unsafe { &*context.cast::<IrTransforms>() };
        with_module(raw, |module| transforms.apply(module))
    });
    let Err(error) = result else { return ptr::null_mut() };
    // SAFETY: we own the module.
    unsafe { LLVMOrcDisposeThreadSafeModule(raw) };
    // SAFETY: LLVM passes a valid pointer.
    unsafe { *module_slot = ptr::null_mut() };
    error.into_raw()
}
