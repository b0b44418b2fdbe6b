//! Creates LLVM's LLJIT with only what a session needs: by the shim, or by LLVM's C API.

use std::ptr;

use llvm_sys::orc2::lljit::LLVMOrcOpaqueLLJIT;

use super::Memory;
use crate::error::{Error, ErrorKind};
#[cfg(feature = "shim")]
use crate::session_hooks::{RawHooks, SessionHooks};
use crate::target::Target;

/// Creates an LLJIT by the C API, which creates three target machines: one for the builder, one for
/// the data layout, and one to compile IR. The processor's features are omitted: parsing their text
/// is slow, and linking does not need them.
#[cfg(not(feature = "shim"))]
pub(super) fn create_lljit(target: &Target, _memory: Memory) -> Result<*mut LLVMOrcOpaqueLLJIT, Error> {
    use llvm_sys::orc2::LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine;
    use llvm_sys::orc2::lljit::{
        LLVMOrcCreateLLJIT, LLVMOrcCreateLLJITBuilder, LLVMOrcLLJITBuilderSetJITTargetMachineBuilder,
    };

    use crate::target::OptLevel;
    use crate::target_machine::TargetMachine;

    let machine = TargetMachine::new(&target.clone().with_features("")?, OptLevel::Default)?;
    // SAFETY: takes ownership of the machine that `into_raw` returns.
    let machine_builder =
        unsafe { LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(machine.into_raw()) };
    // SAFETY: creates a value that we own.
    let builder = unsafe { LLVMOrcCreateLLJITBuilder() };
    // SAFETY: both are alive. The builder takes ownership of the machine builder.
    unsafe { LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(builder, machine_builder) };
    let mut lljit = ptr::null_mut();
    // SAFETY: `lljit` is our local variable. LLVM takes ownership of the builder.
    let error = unsafe { LLVMOrcCreateLLJIT(&mut lljit, builder) };
    // SAFETY: we own the error.
    unsafe { Error::check(error, ErrorKind::Session) }?;
    Ok(lljit)
}

/// Creates an LLJIT by shim/session.cpp.
#[cfg(feature = "shim")]
pub(super) fn create_lljit(
    target: &Target,
    memory: Memory,
    hooks: &SessionHooks,
) -> Result<*mut LLVMOrcOpaqueLLJIT, Error> {
    use std::ffi::c_char;

    use llvm_sys::error::LLVMErrorRef;

    // SAFETY: the signature is that of `shim/session.cpp`.
    unsafe extern "C" {
        fn llvm_orc_create_lljit(
            triple: *const c_char,
            cpu: *const c_char,
            features: *const c_char,
            in_slabs: bool,
            hooks: *const RawHooks,
            result: *mut *mut LLVMOrcOpaqueLLJIT,
        ) -> LLVMErrorRef;
    }

    let (triple, cpu, features) = target.c_strings();
    let mut lljit = ptr::null_mut();
    // SAFETY: the texts are NUL-terminated, and `lljit` is our local variable. The shim copies the
    // hooks, whose context the session owns longer than the LLJIT.
    let error = unsafe {
        llvm_orc_create_lljit(
            triple.as_ptr(),
            cpu.as_ptr(),
            features.as_ptr(),
            memory == Memory::Slabs,
            &hooks.raw(),
            &mut lljit,
        )
    };
    // SAFETY: we own the error.
    unsafe { Error::check(error, ErrorKind::Session) }?;
    Ok(lljit)
}
