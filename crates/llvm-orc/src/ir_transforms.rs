//! X

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
use crate::ir_module::SharedContext;
use crate::ir_module::with_module;
use crate::target::{OptLevel, Target};
use crate::target_machine::TargetMachine;

type Transform = Box<dyn Fn(&Module<'_>) -> Result<(), Error> + Send + Sync>;

/// What a session does to modules before it compiles them, and whatever it needs for that.
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

// SAFETY: a target machine belongs to no thread, and each is used by one at a time: by who has taken it from the list.
unsafe impl Send for MachinePool {}
// SAFETY: as above; the list has a lock.
unsafe impl Sync for MachinePool {}

impl IrTransforms {
    /// Has the session's IR layer do this.
    ///
    /// # Safety
    /// The LLJIT is alive and not shared yet, and `place` outlives it.
    pub(crate) unsafe fn attach(place: &IrTransforms, lljit: *mut LLVMOrcOpaqueLLJIT) {
        // SAFETY: the caller's promise.
        let layer = unsafe { LLVMOrcLLJITGetIRTransformLayer(lljit) };
        let context = ptr::from_ref(place).cast_mut().cast();
        // SAFETY: the layer is alive and used by nobody else yet; `context` is what `transform` expects.
        unsafe { LLVMOrcIRTransformLayerSetTransform(layer, transform, context) };
    }

    fn apply(&self, raw: LLVMModuleRef) -> Result<(), Error> {
        if let Some(transform) = &self.transform {
            // SAFETY: the module is alive, and is not disposed of by this handle of it.
            let module = ManuallyDrop::new(unsafe { Module::new(raw) });
            transform(&module)?;
            verify(raw)?;
        }
        let Some((passes, level)) = &self.passes else { return Ok(()) };
        let spare = self.machines.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let machine = match (spare, &self.target) {
            (Some(machine), _) => machine,
            (None, Some(target)) => TargetMachine::new(target, *level)?,
            (None, None) => TargetMachine::new(&Target::host()?, *level)?,
        };
        let optimized = optimize_once(&machine, raw, passes);
        self.machines.0.lock().unwrap_or_else(PoisonError::into_inner).push(machine);
        optimized
    }
}

/// What LLVM calls with each module before it compiles it.
extern "C" fn transform(
    context: *mut c_void,
    module: *mut LLVMOrcThreadSafeModuleRef,
    _responsibility: LLVMOrcMaterializationResponsibilityRef,
) -> LLVMErrorRef {
    // SAFETY: LLVM gives a place with a module in it.
    let raw = unsafe { *module };
    let done = boundary::catch_panic_as_error(|| {
        // What was left by a module that never got to the code generator.
        boundary::take_diagnostics();
        // SAFETY: the place that `attach` gave, which outlives the session by its caller's promise.
        let path = unsafe { &*context.cast::<IrTransforms>() };
        with_module(raw, |module| path.apply(module))
    });
    let Err(error) = done else { return ptr::null_mut() };
    // SAFETY: a transform that fails has to dispose of the module.
    unsafe { LLVMOrcDisposeThreadSafeModule(raw) };
    // SAFETY: and has to say so.
    unsafe { *module = ptr::null_mut() };
    error.into_raw()
}
