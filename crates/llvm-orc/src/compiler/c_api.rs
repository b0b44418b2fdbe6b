//! Optimizer and code generator by LLVM's C API, which creates passes for each module.
//!
//! Without the feature `shim`, a compiler uses this module for everything. With it, only for
//! assembly and IR texts.

use llvm_sys::core::LLVMPrintModuleToString;
use llvm_sys::prelude::LLVMModuleRef;
use llvm_sys::target_machine::{LLVMCodeGenFileType, LLVMTargetMachineEmitToMemoryBuffer};

#[cfg(not(feature = "shim"))]
use super::function_pass::FunctionPass;
#[cfg(not(feature = "shim"))]
use super::optimize::Optimize;
use crate::error::{Error, ErrorKind, take_message};
use crate::memory_buffer::MemoryBuffer;
use crate::target_machine::TargetMachine;

/// Creates the optimizer for a pipeline given as text. Its passes are created for each module.
#[cfg(not(feature = "shim"))]
pub(super) fn text_optimizer(_machine: &TargetMachine, text: &str) -> Result<Box<dyn Optimize>, Error> {
    Ok(Box::new(PerModulePipeline(crate::error::c_name(text)?)))
}

/// Creates the optimizer for a list of function passes, by their text.
#[cfg(not(feature = "shim"))]
pub(super) fn function_optimizer(
    machine: &TargetMachine,
    passes: &[FunctionPass],
) -> Result<Box<dyn Optimize>, Error> {
    text_optimizer(machine, &FunctionPass::list_as_text(passes))
}

/// The text of a pipeline, parsed for each module.
#[cfg(not(feature = "shim"))]
struct PerModulePipeline(std::ffi::CString);

#[cfg(not(feature = "shim"))]
impl Optimize for PerModulePipeline {
    fn optimize(&mut self, machine: &TargetMachine, module: LLVMModuleRef) -> Result<(), Error> {
        use llvm_sys::transforms::pass_builder::{
            LLVMCreatePassBuilderOptions, LLVMDisposePassBuilderOptions, LLVMRunPasses,
        };

        // SAFETY: creates a value that we own.
        let options = unsafe { LLVMCreatePassBuilderOptions() };
        // SAFETY: module, machine and options are alive. The text is NUL-terminated.
        let error = unsafe { LLVMRunPasses(module, self.0.as_ptr(), machine.raw(), options) };
        // SAFETY: created above and not used again.
        unsafe { LLVMDisposePassBuilderOptions(options) };
        // SAFETY: we own the error.
        unsafe { Error::check(error, ErrorKind::Pipeline) }
    }
}

/// Code generator without state.
#[cfg(not(feature = "shim"))]
pub(super) struct Codegen;

#[cfg(not(feature = "shim"))]
impl Codegen {
    pub(super) fn new(_machine: &TargetMachine) -> Result<Codegen, Error> {
        Ok(Codegen)
    }

    pub(super) fn object(
        &mut self,
        machine: &TargetMachine,
        module: LLVMModuleRef,
    ) -> Result<std::sync::Arc<[u8]>, Error> {
        let emitted = emit(machine, module, LLVMCodeGenFileType::LLVMObjectFile)?;
        Ok(emitted.bytes().into())
    }
}

/// The module's assembly text.
pub(super) fn assembly(machine: &TargetMachine, module: LLVMModuleRef) -> Result<String, Error> {
    let emitted = emit(machine, module, LLVMCodeGenFileType::LLVMAssemblyFile)?;
    Ok(String::from_utf8_lossy(emitted.bytes()).into_owned())
}

/// The module's IR as text.
pub(super) fn ir_text(module: LLVMModuleRef) -> Result<String, Error> {
    // SAFETY: the module is alive.
    let text = unsafe { LLVMPrintModuleToString(module) };
    if text.is_null() {
        return Err(Error::out_of_memory());
    }
    // SAFETY: we own the text.
    Ok(unsafe { take_message(text) })
}

/// The code generator's output.
fn emit(
    machine: &TargetMachine,
    module: LLVMModuleRef,
    file: LLVMCodeGenFileType,
) -> Result<MemoryBuffer, Error> {
    let mut message = std::ptr::null_mut();
    let mut buffer = std::ptr::null_mut();
    // SAFETY: machine and module are alive. Both results are our local variables.
    let failed = unsafe {
        LLVMTargetMachineEmitToMemoryBuffer(machine.raw(), module, file, &mut message, &mut buffer)
    };
    // SAFETY: LLVM sets the buffer in every case, and we own it.
    let emitted = unsafe { MemoryBuffer::from_raw(buffer) };
    if failed != 0 {
        // SAFETY: on failure LLVM stores a text here, and we own the text.
        return Err(Error::new(ErrorKind::Codegen, unsafe { take_message(message) }));
    }
    emitted
}
