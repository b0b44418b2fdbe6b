//! Optimizer and code generator by the shim, which reuses passes for module after module.
//!
//! Rust side of shim/codegen.cpp, optimizer.cpp, text_pipeline.cpp and function_passes.cpp. Only
//! `Passes` names [`text_optimizer`] and [`function_optimizer`], and only these call their C++
//! functions: that decides what is linked.

use std::ffi::c_char;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::prelude::LLVMModuleRef;
use llvm_sys::target_machine::LLVMTargetMachineRef;

use super::function_pass::FunctionPass;
use super::optimize::Optimize;
use crate::error::{Error, ErrorKind};
use crate::target_machine::TargetMachine;

#[repr(C)]
struct RawOptimizer {
    opaque: [u8; 0],
}

#[repr(C)]
struct RawCodegen {
    opaque: [u8; 0],
}

// SAFETY: the signatures are those of the C++ files.
unsafe extern "C" {
    fn llvm_orc_create_text_optimizer(
        machine: LLVMTargetMachineRef,
        text: *const c_char,
        length: usize,
        result: *mut *mut RawOptimizer,
    ) -> LLVMErrorRef;
    fn llvm_orc_create_function_optimizer(
        machine: LLVMTargetMachineRef,
        passes: *const FunctionPass,
        count: usize,
    ) -> *mut RawOptimizer;
    fn llvm_orc_optimizer_run(optimizer: *mut RawOptimizer, module: LLVMModuleRef);
    fn llvm_orc_optimizer_dispose(optimizer: *mut RawOptimizer);
    fn llvm_orc_codegen_create(machine: LLVMTargetMachineRef) -> *mut RawCodegen;
    fn llvm_orc_codegen_run(
        codegen: *mut RawCodegen,
        module: LLVMModuleRef,
        bytes: *mut *const u8,
        length: *mut usize,
    );
    fn llvm_orc_codegen_dispose(codegen: *mut RawCodegen);
}

/// Creates the optimizer for a pipeline given as text.
pub(super) fn text_optimizer(machine: &TargetMachine, text: &str) -> Result<Box<dyn Optimize>, Error> {
    let mut optimizer = ptr::null_mut();
    // SAFETY: the machine is alive and outlives the result by promise 1 of `Optimizers`. The text
    // has that length, and the result is our local variable.
    let error = unsafe {
        llvm_orc_create_text_optimizer(machine.raw(), text.as_ptr().cast(), text.len(), &mut optimizer)
    };
    // SAFETY: we own the error.
    unsafe { Error::check(error, ErrorKind::Pipeline) }?;
    Ok(Box::new(ShimOptimizer(NonNull::new(optimizer).expect("LLVM returns an optimizer unless it fails"))))
}

/// Creates the optimizer for a list of function passes.
pub(super) fn function_optimizer(
    machine: &TargetMachine,
    passes: &[FunctionPass],
) -> Result<Box<dyn Optimize>, Error> {
    // SAFETY: the machine is alive and outlives the result by promise 1 of `Optimizers`. The list
    // has that length, and its elements are bytes as in C++.
    let optimizer =
        unsafe { llvm_orc_create_function_optimizer(machine.raw(), passes.as_ptr(), passes.len()) };
    Ok(Box::new(ShimOptimizer(NonNull::new(optimizer).expect("the shim returns the optimizer"))))
}

/// An optimizer of the shim. Promise 1 of `Optimizers` holds for it.
struct ShimOptimizer(NonNull<RawOptimizer>);

impl Optimize for ShimOptimizer {
    fn optimize(&mut self, _machine: &TargetMachine, module: LLVMModuleRef) -> Result<(), Error> {
        // SAFETY: optimizer and module are alive, and so is the machine by promise 1 of
        // `Optimizers`.
        unsafe { llvm_orc_optimizer_run(self.0.as_ptr(), module) };
        Ok(())
    }
}

impl Drop for ShimOptimizer {
    fn drop(&mut self) {
        // SAFETY: created by the shim and disposed of once. The machine is alive by promise 1 of
        // `Optimizers`.
        unsafe { llvm_orc_optimizer_dispose(self.0.as_ptr()) };
    }
}

/// Code generator for one target machine, reused for the modules of one context.
///
/// 1. The code generator refers to the machine that it was created with, so the owner drops it
///    before the machine. It refers to a module only while it runs.
pub(super) struct Codegen(NonNull<RawCodegen>);

impl Codegen {
    pub(super) fn new(machine: &TargetMachine) -> Result<Codegen, Error> {
        // SAFETY: the machine is alive and outlives the result by promise 1.
        let codegen = unsafe { llvm_orc_codegen_create(machine.raw()) };
        let codegen = NonNull::new(codegen)
            .ok_or_else(|| Error::new(ErrorKind::Target, "the target machine cannot write object files"))?;
        Ok(Codegen(codegen))
    }

    pub(super) fn object(
        &mut self,
        _machine: &TargetMachine,
        module: LLVMModuleRef,
    ) -> Result<Arc<[u8]>, Error> {
        let mut bytes = ptr::null();
        let mut length = 0;
        // SAFETY: both are alive, and so is the machine by promise 1. The results are our local
        // variables.
        unsafe { llvm_orc_codegen_run(self.0.as_ptr(), module, &mut bytes, &mut length) };
        // SAFETY: the code generator's buffer has that many bytes and is unchanged until the next
        // run.
        Ok(unsafe { std::slice::from_raw_parts(bytes, length) }.into())
    }
}

impl Drop for Codegen {
    fn drop(&mut self) {
        // SAFETY: created by `new` and disposed of once. The machine is alive by promise 1.
        unsafe { llvm_orc_codegen_dispose(self.0.as_ptr()) };
    }
}
