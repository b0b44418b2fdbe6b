//! Optimising and making code by passes that are kept from module to module: the Rust side of `shim/kept.cpp`.

use std::ffi::c_char;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::prelude::LLVMModuleRef;
use llvm_sys::target_machine::LLVMTargetMachineRef;

use crate::error::{Error, ErrorKind};
use crate::machine::Machine;

#[repr(C)]
struct KeptOptimizer {
    opaque: [u8; 0],
}

#[repr(C)]
struct KeptCodegen {
    opaque: [u8; 0],
}

// SAFETY: the signatures are those at the end of `shim/kept.cpp`.
unsafe extern "C" {
    fn llvm_orc_optimizer_create(machine: LLVMTargetMachineRef) -> *mut KeptOptimizer;
    fn llvm_orc_optimizer_parse(
        optimizer: *mut KeptOptimizer,
        text: *const c_char,
        length: usize,
        pipeline: *mut usize,
    ) -> LLVMErrorRef;
    fn llvm_orc_optimizer_run(optimizer: *mut KeptOptimizer, pipeline: usize, module: LLVMModuleRef);
    fn llvm_orc_optimizer_dispose(optimizer: *mut KeptOptimizer);
    fn llvm_orc_codegen_create(machine: LLVMTargetMachineRef) -> *mut KeptCodegen;
    fn llvm_orc_codegen_run(
        codegen: *mut KeptCodegen,
        module: LLVMModuleRef,
        bytes: *mut *const u8,
        length: *mut usize,
    );
    fn llvm_orc_codegen_dispose(codegen: *mut KeptCodegen);
}

/// Passes for one target machine, kept between the modules of one context.
///
/// 1. Both refer to the machine that they were made with, so the owner drops them before it, and passes none
///    other. They refer to a module only while they run.
pub(super) struct Pipelines {
    /// Made when the first pipeline is parsed: who only generates code does without.
    optimizer: Option<NonNull<KeptOptimizer>>,
    codegen: NonNull<KeptCodegen>,
    /// The texts that were parsed, each with its number in the optimiser.
    parsed: Vec<(String, usize)>,
}

impl Pipelines {
    pub(super) fn new(machine: &Machine) -> Result<Pipelines, Error> {
        // SAFETY: the machine is alive, and outlives the result by promise 1.
        let codegen = unsafe { llvm_orc_codegen_create(machine.raw()) };
        let codegen = NonNull::new(codegen)
            .ok_or_else(|| Error::new(ErrorKind::Target, "the target machine cannot write object files"))?;
        Ok(Pipelines { optimizer: None, codegen, parsed: Vec::new() })
    }

    /// The optimiser, made now if it was not yet.
    fn optimizer(&mut self, machine: &Machine) -> *mut KeptOptimizer {
        let optimizer = self.optimizer.get_or_insert_with(|| {
            // SAFETY: the machine is alive, and outlives the result by promise 1.
            let optimizer = unsafe { llvm_orc_optimizer_create(machine.raw()) };
            NonNull::new(optimizer).expect("the shim gives back the optimiser it made")
        });
        optimizer.as_ptr()
    }

    pub(super) fn optimize(
        &mut self,
        machine: &Machine,
        module: LLVMModuleRef,
        passes: &str,
    ) -> Result<(), Error> {
        if passes.is_empty() {
            return Ok(());
        }
        let pipeline = match self.parsed.iter().find(|(text, _)| text == passes) {
            Some(&(_, pipeline)) => pipeline,
            None => self.parse(machine, passes)?,
        };
        // SAFETY: the optimiser and the module are alive, the machine by promise 1; the number is one of its own.
        unsafe { llvm_orc_optimizer_run(self.optimizer(machine), pipeline, module) };
        Ok(())
    }

    #[cold]
    fn parse(&mut self, machine: &Machine, passes: &str) -> Result<usize, Error> {
        let optimizer = self.optimizer(machine);
        let mut pipeline = 0;
        // SAFETY: the optimiser is alive, the text as long as said, the result a place of ours.
        let error = unsafe {
            llvm_orc_optimizer_parse(optimizer, passes.as_ptr().cast(), passes.len(), &mut pipeline)
        };
        // SAFETY: the error is ours alone.
        unsafe { Error::check(error, ErrorKind::Pipeline) }?;
        self.parsed.push((passes.to_owned(), pipeline));
        Ok(pipeline)
    }

    pub(super) fn object(&mut self, _machine: &Machine, module: LLVMModuleRef) -> Result<Arc<[u8]>, Error> {
        let mut bytes = ptr::null();
        let mut length = 0;
        // SAFETY: both are alive, the machine by promise 1; the results are places of ours.
        unsafe { llvm_orc_codegen_run(self.codegen.as_ptr(), module, &mut bytes, &mut length) };
        // SAFETY: the code generator's buffer has that many bytes and keeps them until it runs again; the copy is
        // made now.
        Ok(unsafe { std::slice::from_raw_parts(bytes, length) }.into())
    }
}

impl Drop for Pipelines {
    fn drop(&mut self) {
        if let Some(optimizer) = self.optimizer {
            // SAFETY: made by us, given back once, the machine still alive by promise 1.
            unsafe { llvm_orc_optimizer_dispose(optimizer.as_ptr()) };
        }
        // SAFETY: made by `new`, given back once, the machine still alive by promise 1.
        unsafe { llvm_orc_codegen_dispose(self.codegen.as_ptr()) };
    }
}
