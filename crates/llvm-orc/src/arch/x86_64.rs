//! x86-64: LLVM's X86 target.

use llvm_sys::target as t;

/// ELF's number for x86-64.
#[cfg(target_os = "linux")]
pub(crate) const ELF_MACHINE: u16 = object::elf::EM_X86_64;

/// Registers the native target, its assembly printer, and the parser for inline assembly, without
/// which LLVM would end the process. Returns whether LLVM has a native target.
///
/// LLVM's registration functions for X86 are called by name. llvm-sys's
/// `LLVM_InitializeNativeTarget` shares an object file with the registration of *all* targets,
/// which would link every target into the program, with its static constructors.
pub(crate) fn register_native() -> bool {
    // SAFETY: registers static tables of LLVM. A `OnceLock` around the only call restricts it to
    // one thread.
    unsafe { t::LLVMInitializeX86TargetInfo() };
    // SAFETY: as above.
    unsafe { t::LLVMInitializeX86Target() };
    // SAFETY: as above.
    unsafe { t::LLVMInitializeX86TargetMC() };
    // SAFETY: as above.
    unsafe { t::LLVMInitializeX86AsmPrinter() };
    // SAFETY: as above.
    unsafe { t::LLVMInitializeX86AsmParser() };
    true
}
