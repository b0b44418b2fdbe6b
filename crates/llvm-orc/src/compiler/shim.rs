//! Optimising and making code by passes that are kept from module to module: the Rust side of the C++ files
//! `codegen`, `optimizer`, `text` and `functions` in `shim`.
//!
//! [`text_optimizer`] and [`function_optimizer`] are named by [`Passes`] alone, and the C++ functions they call by nobody else:
//! what is linked depends on it.

use std::ffi::c_char;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::prelude::LLVMModuleRef;
use llvm_sys::target_machine::LLVMTargetMachineRef;

use super::optimizers::Optimize;
use super::passes::{FunctionPass, Passes};
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

// SAFETY: the signatures are those at the ends of the C++ files.
unsafe extern "C" {
    fn llvm_orc_create_text_optimizer(
        machine: LLVMTargetMachineRef,
        text: *const c_char,
        length: usize,
        made: *mut *mut RawOptimizer,
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

/// The optimiser for a pipeline given as text.
pub(super) fn text_optimizer(machine: &TargetMachine, passes: &Passes) -> Result<Box<dyn Optimize>, Error> {
    let text = passes.as_text();
    let mut made = ptr::null_mut();
    // SAFETY: the machine is alive, and outlives the result by promise 1 of `Optimizers`; the text is as long as said,
    // the result a place of ours.
    let error =
        unsafe { llvm_orc_create_text_optimizer(machine.raw(), text.as_ptr().cast(), text.len(), &mut made) };
    // SAFETY: the error is ours alone.
    unsafe { Error::check(error, ErrorKind::Pipeline) }?;
    Ok(Box::new(ShimOptimizer(NonNull::new(made).expect("without an error there is an optimiser"))))
}

/// The optimiser for passes over functions.
pub(super) fn function_optimizer(
    machine: &TargetMachine,
    passes: &Passes,
) -> Result<Box<dyn Optimize>, Error> {
    let list = passes.list();
    // SAFETY: the machine is alive, and outlives the result by promise 1 of `Optimizers`; the list, of bytes as C++ has
    // them, is as long as said.
    let made = unsafe { llvm_orc_create_function_optimizer(machine.raw(), list.as_ptr(), list.len()) };
    Ok(Box::new(ShimOptimizer(NonNull::new(made).expect("the shim gives back the optimiser it made"))))
}

/// One of the shim's optimisers. Promise 1 of `Optimizers` holds for it.
struct ShimOptimizer(NonNull<RawOptimizer>);

impl Optimize for ShimOptimizer {
    fn optimize(&mut self, _machine: &TargetMachine, module: LLVMModuleRef) -> Result<(), Error> {
        // SAFETY: the optimiser and the module are alive, the machine by promise 1 of `Optimizers`.
        unsafe { llvm_orc_optimizer_run(self.0.as_ptr(), module) };
        Ok(())
    }
}

impl Drop for ShimOptimizer {
    fn drop(&mut self) {
        // SAFETY: made by the shim, given back once, the machine still alive by promise 1 of `Optimizers`.
        unsafe { llvm_orc_optimizer_dispose(self.0.as_ptr()) };
    }
}

/// The code generator for one target machine, kept between the modules of one context.
///
/// 1. It refers to the machine that it was made with, so the owner drops it before. It refers to a module only while
///    it runs.
pub(super) struct Codegen(NonNull<RawCodegen>);

impl Codegen {
    pub(super) fn new(machine: &TargetMachine) -> Result<Codegen, Error> {
        // SAFETY: the machine is alive, and outlives the result by promise 1.
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
        // SAFETY: both are alive, the machine by promise 1; the results are places of ours.
        unsafe { llvm_orc_codegen_run(self.0.as_ptr(), module, &mut bytes, &mut length) };
        // SAFETY: the code generator's buffer has that many bytes and keeps them until it runs again; the copy is
        // made now.
        Ok(unsafe { std::slice::from_raw_parts(bytes, length) }.into())
    }
}

impl Drop for Codegen {
    fn drop(&mut self) {
        // SAFETY: made by `new`, given back once, the machine still alive by promise 1.
        unsafe { llvm_orc_codegen_dispose(self.0.as_ptr()) };
    }
}
