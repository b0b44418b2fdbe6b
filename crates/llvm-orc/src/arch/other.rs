//! Architectures without a file of their own. Not tested on any of them.

use std::sync::atomic::AtomicU32;

use llvm_sys::target as t;

/// The word that locks the list of objects that debuggers see.
pub(crate) fn list_lock() -> &'static AtomicU32 {
    static WORD: AtomicU32 = AtomicU32::new(0);
    &WORD
}

/// Linux's number of the system call `membarrier`, which is the same on newer architectures.
#[cfg(all(target_os = "linux", feature = "shim"))]
pub(crate) const MEMBARRIER: Option<std::ffi::c_long> =
    if cfg!(any(target_arch = "aarch64", target_arch = "riscv64")) { Some(283) } else { None };

/// ELF's number for this machine.
#[cfg(target_os = "linux")]
pub(crate) const ELF_MACHINE: u16 = if cfg!(target_arch = "aarch64") {
    object::elf::EM_AARCH64
} else if cfg!(target_arch = "riscv64") {
    object::elf::EM_RISCV
} else {
    object::elf::EM_NONE
};

/// Registers the native target, its assembly printer and its assembly parser. Returns whether LLVM
/// has a native target.
pub(crate) fn register_native() -> bool {
    // SAFETY: registers static tables of LLVM. A `OnceLock` around the only call restricts it to
    // one thread.
    let no_target = unsafe { t::LLVM_InitializeNativeTarget() };
    // SAFETY: as above.
    let no_printer = unsafe { t::LLVM_InitializeNativeAsmPrinter() };
    // SAFETY: as above.
    let no_parser = unsafe { t::LLVM_InitializeNativeAsmParser() };
    no_target == 0 && no_printer == 0 && no_parser == 0
}
