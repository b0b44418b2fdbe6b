//! Files of an optimized module, as many as are wanted of one optimization.

use std::ptr::NonNull;

use llvm_sys::LLVMModule;
use llvm_sys::bit_writer::LLVMWriteBitcodeToMemoryBuffer;
use llvm_sys::core::{LLVMCloneModule, LLVMDisposeModule};
use llvm_sys::prelude::LLVMModuleRef;

use super::{Codegen, c_api};
use crate::error::Error;
use crate::memory_buffer::MemoryBuffer;
use crate::target_machine::TargetMachine;

/// A file that a [`Compiler`](crate::Compiler) makes of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputFile {
    /// An object file.
    Object,
    /// Assembly text.
    Assembly,
    /// IR text.
    Ir,
    /// IR as bitcode.
    Bitcode,
}

/// The files of the module, in this order.
///
/// Generating code changes a module, so each file of code gets a copy.
pub(super) fn make(
    codegen: &mut Codegen,
    machine: &TargetMachine,
    module: LLVMModuleRef,
    files: &[OutputFile],
) -> Result<Vec<Vec<u8>>, Error> {
    let make = |&file: &OutputFile| match file {
        OutputFile::Object => Ok(codegen.object(machine, Copy::of(module)?.raw())?.to_vec()),
        OutputFile::Assembly => c_api::assembly(machine, Copy::of(module)?.raw()).map(String::into_bytes),
        OutputFile::Ir => c_api::ir_text(module).map(String::into_bytes),
        OutputFile::Bitcode => bitcode(module),
    };
    files.iter().map(make).collect()
}

fn bitcode(module: LLVMModuleRef) -> Result<Vec<u8>, Error> {
    // SAFETY: the module is alive.
    let buffer = unsafe { LLVMWriteBitcodeToMemoryBuffer(module) };
    // SAFETY: the buffer is null or ours.
    Ok(unsafe { MemoryBuffer::from_raw(buffer) }?.bytes().to_vec())
}

/// A copy of a module, in the same context.
struct Copy(NonNull<LLVMModule>);

impl Copy {
    fn of(module: LLVMModuleRef) -> Result<Self, Error> {
        // SAFETY: the module is alive.
        let copy = unsafe { LLVMCloneModule(module) };
        NonNull::new(copy).map(Self).ok_or_else(Error::out_of_memory)
    }

    fn raw(&self) -> LLVMModuleRef {
        self.0.as_ptr()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // SAFETY: the copy is ours and is disposed of once. Its context outlives the compile.
        unsafe { LLVMDisposeModule(self.0.as_ptr()) };
    }
}
