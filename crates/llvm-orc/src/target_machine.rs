//! LLVM's target machines.

#[cfg(not(feature = "shim"))]
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use llvm_sys::target::{LLVMDisposeTargetData, LLVMTargetDataRef};
use llvm_sys::target_machine::{
    LLVMCodeGenOptLevel, LLVMCodeModel, LLVMCreateTargetDataLayout, LLVMCreateTargetMachine,
    LLVMDisposeTargetMachine, LLVMGetTargetFromTriple, LLVMOpaqueTargetMachine, LLVMRelocMode,
    LLVMTargetMachineRef, LLVMTargetRef,
};

use crate::error::{Error, ErrorKind, take_message};
use crate::target::{OptLevel, Target, register};

#[cfg(feature = "shim")]
mod features;

/// LLVM's machine for a [`Target`], with its data layout.
///
/// Code is position independent with the small model: JITLink gives calls that reach far a stub or an entry in
/// a table of addresses, so functions of the process, gigabytes away, can be called.
pub(crate) struct TargetMachine {
    raw: NonNull<LLVMOpaqueTargetMachine>,
    layout: LLVMTargetDataRef,
}

impl TargetMachine {
    pub(crate) fn new(target: &Target, level: OptLevel) -> Result<TargetMachine, Error> {
        let registered = find_registered(target)?;
        let (triple, cpu, features) = target.c_strings();
        #[cfg(feature = "shim")]
        let features = &*features::condense(triple, cpu, features);
        // SAFETY: the target is registered and the texts are ended by NUL.
        let raw = unsafe {
            LLVMCreateTargetMachine(
                registered,
                triple.as_ptr(),
                cpu.as_ptr(),
                features.as_ptr(),
                codegen_level(level),
                LLVMRelocMode::LLVMRelocPIC,
                LLVMCodeModel::LLVMCodeModelSmall,
            )
        };
        let raw = NonNull::new(raw).ok_or_else(|| {
            Error::new(ErrorKind::Target, format!("no target machine for {}", target.triple()))
        })?;
        // SAFETY: the machine was just made.
        let layout = unsafe { LLVMCreateTargetDataLayout(raw.as_ptr()) };
        Ok(TargetMachine { raw, layout })
    }

    pub(crate) fn raw(&self) -> LLVMTargetMachineRef {
        self.raw.as_ptr()
    }

    #[cfg(feature = "inkwell")]
    pub(crate) fn layout(&self) -> LLVMTargetDataRef {
        self.layout
    }

    /// Gives up LLVM's machine to one who disposes of it.
    #[cfg(not(feature = "shim"))]
    pub(crate) fn into_raw(self) -> LLVMTargetMachineRef {
        let machine = ManuallyDrop::new(self);
        // SAFETY: made by `new`, and used no more.
        unsafe { LLVMDisposeTargetData(machine.layout) };
        machine.raw()
    }
}

impl Drop for TargetMachine {
    fn drop(&mut self) {
        // SAFETY: made by `new`, which nobody else disposes of; the machine does not refer to it.
        unsafe { LLVMDisposeTargetData(self.layout) };
        // SAFETY: made by `new`; what is built upon the machine is dropped before by its owner.
        unsafe { LLVMDisposeTargetMachine(self.raw.as_ptr()) };
    }
}

/// LLVM's entry for the target's triple.
fn find_registered(target: &Target) -> Result<LLVMTargetRef, Error> {
    register()?;
    let mut found = ptr::null_mut();
    let mut message = ptr::null_mut();
    // SAFETY: the triple is ended by NUL and both results are places of ours.
    let failed = unsafe { LLVMGetTargetFromTriple(target.c_strings().0.as_ptr(), &mut found, &mut message) };
    if failed != 0 {
        // SAFETY: on failure LLVM leaves a text here that is ours to give back.
        return Err(Error::new(ErrorKind::Target, unsafe { take_message(message) }));
    }
    Ok(found)
}

fn codegen_level(level: OptLevel) -> LLVMCodeGenOptLevel {
    match level {
        OptLevel::None => LLVMCodeGenOptLevel::LLVMCodeGenLevelNone,
        OptLevel::Less => LLVMCodeGenOptLevel::LLVMCodeGenLevelLess,
        OptLevel::Default => LLVMCodeGenOptLevel::LLVMCodeGenLevelDefault,
        OptLevel::Aggressive => LLVMCodeGenOptLevel::LLVMCodeGenLevelAggressive,
    }
}
