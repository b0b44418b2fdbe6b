//! LLVM's target machines: code generators for a target.

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
use crate::out_of_memory::InsideLlvm;
use crate::target::{OptLevel, Target, register};

#[cfg(feature = "shim")]
mod features;

/// LLVM's target machine for a [`Target`], with its data layout.
///
/// Code is position-independent, except that of WebAssembly, where it would be for another kind of
/// module. It uses the small code model. JITLink adds a stub or a table entry for calls beyond
/// 32-bit distances, so code can call functions anywhere in the process.
pub(crate) struct TargetMachine {
    raw: NonNull<LLVMOpaqueTargetMachine>,
    layout: LLVMTargetDataRef,
}

impl TargetMachine {
    pub(crate) fn new(target: &Target, level: OptLevel) -> Result<TargetMachine, Error> {
        let _inside = InsideLlvm::enter();
        let registered = find_registered(target)?;
        let (triple, cpu, features) = target.c_strings();
        #[cfg(feature = "shim")]
        let features = &*features::condense(triple, cpu, features);
        // SAFETY: the target is registered and the texts are NUL-terminated.
        let raw = unsafe {
            LLVMCreateTargetMachine(
                registered,
                triple.as_ptr(),
                cpu.as_ptr(),
                features.as_ptr(),
                codegen_level(level),
                relocation(target),
                LLVMCodeModel::LLVMCodeModelSmall,
            )
        };
        let raw = NonNull::new(raw).ok_or_else(|| {
            Error::new(ErrorKind::Target, format!("no target machine for {}", target.triple()))
        })?;
        // SAFETY: the machine was just created.
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

    /// Releases ownership of LLVM's target machine.
    #[cfg(not(feature = "shim"))]
    pub(crate) fn into_raw(self) -> LLVMTargetMachineRef {
        let machine = ManuallyDrop::new(self);
        // SAFETY: created by `new`, and is not used again.
        unsafe { LLVMDisposeTargetData(machine.layout) };
        machine.raw()
    }
}

impl Drop for TargetMachine {
    fn drop(&mut self) {
        // SAFETY: created by `new` and disposed of once. The machine does not refer to it.
        unsafe { LLVMDisposeTargetData(self.layout) };
        // SAFETY: created by `new` and disposed of once. The owner has already dropped what refers
        // to the machine.
        unsafe { LLVMDisposeTargetMachine(self.raw.as_ptr()) };
    }
}

#[cfg(feature = "shim")]
impl Target {
    /// Checks the names that the target was made of. A compiler for a target with an unknown
    /// processor or feature ignores it, or ends the process, as LLVM does.
    ///
    /// # Errors
    /// [`ErrorKind::Target`] if LLVM has no back end for the triple here, or the back end has no
    /// such processor or feature.
    pub fn check(&self) -> Result<(), Error> {
        let _inside = InsideLlvm::enter();
        find_registered(self)?;
        let (triple, cpu, features) = self.c_strings();
        match features::unknown_name(triple, cpu, features) {
            Some(sentence) => Err(Error::new(ErrorKind::Target, sentence)),
            None => Ok(()),
        }
    }
}

/// LLVM's registered target for the triple.
fn find_registered(target: &Target) -> Result<LLVMTargetRef, Error> {
    register()?;
    let mut found = ptr::null_mut();
    let mut message = ptr::null_mut();
    // SAFETY: the triple is NUL-terminated and both results are our local variables.
    let failed = unsafe { LLVMGetTargetFromTriple(target.c_strings().0.as_ptr(), &mut found, &mut message) };
    if failed != 0 {
        // SAFETY: on failure LLVM stores a text here, and we own the text.
        return Err(Error::new(ErrorKind::Target, unsafe { take_message(message) }));
    }
    Ok(found)
}

fn relocation(target: &Target) -> LLVMRelocMode {
    if target.triple().starts_with("wasm") {
        LLVMRelocMode::LLVMRelocStatic
    } else {
        LLVMRelocMode::LLVMRelocPIC
    }
}

fn codegen_level(level: OptLevel) -> LLVMCodeGenOptLevel {
    match level {
        OptLevel::None => LLVMCodeGenOptLevel::LLVMCodeGenLevelNone,
        OptLevel::Less => LLVMCodeGenOptLevel::LLVMCodeGenLevelLess,
        OptLevel::Default => LLVMCodeGenOptLevel::LLVMCodeGenLevelDefault,
        OptLevel::Aggressive => LLVMCodeGenOptLevel::LLVMCodeGenLevelAggressive,
    }
}
