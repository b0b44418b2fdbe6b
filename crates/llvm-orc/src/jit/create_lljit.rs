//! Making LLVM's LLJIT, with as little in it as can be: by the shim, or by the C API alone.

use std::ptr;

use llvm_sys::orc2::lljit::LLVMOrcOpaqueLLJIT;

use super::Memory;
use crate::error::{Error, ErrorKind};
use crate::target::Target;

/// By the C API, which makes three target machines on the way: the builder's own, which it takes apart, one to ask
/// for the data layout, one to compile IR with. The processor's features, whose text is long to read and which
/// linking does not ask for, are left out.
#[cfg(not(feature = "shim"))]
pub(super) fn create_lljit(target: &Target, _memory: Memory) -> Result<*mut LLVMOrcOpaqueLLJIT, Error> {
    use llvm_sys::orc2::LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine;
    use llvm_sys::orc2::lljit::{
        LLVMOrcCreateLLJIT, LLVMOrcCreateLLJITBuilder, LLVMOrcLLJITBuilderSetJITTargetMachineBuilder,
    };

    use crate::target::OptLevel;
    use crate::target_machine::TargetMachine;

    let machine = TargetMachine::new(&target.clone().with_features("")?, OptLevel::Default)?;
    // SAFETY: takes over the machine, which `into_raw` gave up.
    let machine_builder =
        unsafe { LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(machine.into_raw()) };
    // SAFETY: makes a value of ours.
    let builder = unsafe { LLVMOrcCreateLLJITBuilder() };
    // SAFETY: both are alive; the builder takes the machine's over.
    unsafe { LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(builder, machine_builder) };
    let mut lljit = ptr::null_mut();
    // SAFETY: `lljit` is a place of ours; the builder is taken over, and used no more.
    let error = unsafe { LLVMOrcCreateLLJIT(&mut lljit, builder) };
    // SAFETY: the error is ours alone.
    unsafe { Error::check(error, ErrorKind::Session) }?;
    Ok(lljit)
}

/// By `shim/session.cpp`.
#[cfg(feature = "shim")]
pub(super) fn create_lljit(target: &Target, memory: Memory) -> Result<*mut LLVMOrcOpaqueLLJIT, Error> {
    use std::ffi::c_char;

    use llvm_sys::error::LLVMErrorRef;

    // SAFETY: the signature is that of `shim/session.cpp`.
    unsafe extern "C" {
        fn llvm_orc_create_lljit(
            triple: *const c_char,
            cpu: *const c_char,
            features: *const c_char,
            in_slabs: bool,
            result: *mut *mut LLVMOrcOpaqueLLJIT,
        ) -> LLVMErrorRef;
    }

    let (triple, cpu, features) = target.c_strings();
    let mut lljit = ptr::null_mut();
    // SAFETY: the texts are ended by NUL, `lljit` is a place of ours.
    let error = unsafe {
        llvm_orc_create_lljit(
            triple.as_ptr(),
            cpu.as_ptr(),
            features.as_ptr(),
            memory == Memory::Slabs,
            &mut lljit,
        )
    };
    // SAFETY: the error is ours alone.
    unsafe { Error::check(error, ErrorKind::Session) }?;
    Ok(lljit)
}
