//! x86-64: LLVM's X86 target.

use std::sync::atomic::AtomicU32;

use llvm_sys::target as t;

#[cfg(target_os = "linux")]
std::arch::global_asm!(
    ".pushsection .bss.jit_debug_list_lock, \"aw\", @nobits",
    ".p2align 2",
    ".weak jit_debug_list_lock",
    ".type jit_debug_list_lock, @object",
    ".size jit_debug_list_lock, 4",
    "jit_debug_list_lock:",
    ".zero 4",
    ".popsection",
);

/// The word that locks the list of objects that debuggers see. All crates of the program that
/// define it share it.
#[cfg(target_os = "linux")]
pub(crate) fn list_lock() -> &'static AtomicU32 {
    // SAFETY: defined above, or elsewhere with the same size and alignment.
    unsafe extern "C" {
        static jit_debug_list_lock: AtomicU32;
    }

    // SAFETY: the word exists as long as the process, and is accessed atomically only.
    unsafe { &jit_debug_list_lock }
}

/// The word that locks the list of objects that debuggers see.
#[cfg(not(target_os = "linux"))]
pub(crate) fn list_lock() -> &'static AtomicU32 {
    static WORD: AtomicU32 = AtomicU32::new(0);
    &WORD
}

/// Linux's number of the system call `membarrier`.
#[cfg(all(target_os = "linux", feature = "shim"))]
pub(crate) const MEMBARRIER: Option<std::ffi::c_long> = Some(324);

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
