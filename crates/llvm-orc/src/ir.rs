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
use std::sync::{Mutex, PoisonError};

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
    LLVMOrcIRTransformLayerSetTransform, LLVMOrcMaterializationResponsibilityRef,
    LLVMOrcOpaqueThreadSafeModule, LLVMOrcThreadSafeModuleRef, LLVMOrcThreadSafeModuleWithModuleDo,
};
use llvm_sys::prelude::{LLVMDiagnosticInfoRef, LLVMModuleRef};

use crate::carry;
use crate::compiler::{Passes, optimize_once, verify};
use crate::dylib::Dylib;
use crate::error::{Error, ErrorKind, take_message};
use crate::machine::Machine;
use crate::responsibility::Responsibility;
use crate::session::Session;
use crate::target::{OptLevel, Target};
use crate::tracker::Tracker;

#[cfg(not(feature = "shim"))]
mod shared;

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
        unsafe { LLVMContextSetDiagnosticHandler(context.raw(), Some(receive), ptr::null_mut()) };
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
    fn adopted(self, session: &Session) -> Result<LLVMOrcThreadSafeModuleRef, Error> {
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
        let this = session.ir().shared.moved_in(&self)?;
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
        let raw = module.adopted(self.session())?;
        let tracker = Tracker::new(self.clone());
        carry::across(|| {
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
        let raw_module = match module.adopted(session) {
            Ok(raw) => raw,
            Err(error) => return self.fail(error),
        };
        let raw = self.take();
        carry::emitting(|| {
            // SAFETY: the LLJIT is alive, which keeps the layer.
            let layer = unsafe { LLVMOrcLLJITGetIRTransformLayer(session.lljit()) };
            // SAFETY: the layer is alive; responsibility and module are given over.
            unsafe { LLVMOrcIRTransformLayerEmit(layer, raw, raw_module) };
        });
    }
}

type Transform = Box<dyn Fn(&Module<'_>) -> Result<(), Error> + Send + Sync>;

/// What a session does to modules before it compiles them, and whatever it needs for that.
#[derive(Default)]
pub(crate) struct IrPath {
    pub(crate) transform: Option<Transform>,
    pub(crate) passes: Option<(Passes, OptLevel)>,
    pub(crate) target: Option<Target>,
    /// Target machines that no thread is using.
    machines: Machines,
    #[cfg(not(feature = "shim"))]
    shared: shared::SharedContext,
}

#[derive(Default)]
struct Machines(Mutex<Vec<Machine>>);

// SAFETY: a target machine belongs to no thread, and each is used by one at a time: by who has taken it from the list.
unsafe impl Send for Machines {}
// SAFETY: as above; the list has a lock.
unsafe impl Sync for Machines {}

impl IrPath {
    /// Has the session's IR layer do this.
    ///
    /// # Safety
    /// The LLJIT is alive and not shared yet, and `place` outlives it.
    pub(crate) unsafe fn attach(place: &IrPath, lljit: *mut llvm_sys::orc2::lljit::LLVMOrcOpaqueLLJIT) {
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
            (None, Some(target)) => Machine::new(target, *level)?,
            (None, None) => Machine::new(&Target::host()?, *level)?,
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
    let done = carry::answered(|| {
        // What was left by a module that never got to the code generator.
        carry::complaints();
        // SAFETY: the place that `attach` gave, which outlives the session by its caller's promise.
        let path = unsafe { &*context.cast::<IrPath>() };
        with_module(raw, |module| path.apply(module))
    });
    let Err(error) = done else { return ptr::null_mut() };
    // SAFETY: a transform that fails has to dispose of the module.
    unsafe { LLVMOrcDisposeThreadSafeModule(raw) };
    // SAFETY: and has to say so.
    unsafe { *module = ptr::null_mut() };
    error.into_raw()
}

/// Runs `work` upon the module, under its context's lock.
fn with_module(
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
            place.result = carry::answered(|| work(module));
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
extern "C" fn receive(info: LLVMDiagnosticInfoRef, _: *mut c_void) {
    // SAFETY: LLVM calls this with a diagnostic that is alive during the call.
    let severity = unsafe { LLVMGetDiagInfoSeverity(info) };
    if severity != LLVMDiagnosticSeverity::LLVMDSError {
        return;
    }
    // SAFETY: as above.
    let text = unsafe { LLVMGetDiagInfoDescription(info) };
    // SAFETY: a text that is ours to give back.
    carry::complain(unsafe { take_message(text) });
}
