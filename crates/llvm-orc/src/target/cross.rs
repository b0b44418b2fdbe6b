//! Targets of other machines: LLVM's back ends for AArch64 and WebAssembly.
//!
//! Registering a back end costs time and its code costs space, so each is registered when a triple
//! first needs it, and linked only into programs with the feature `cross-targets`.

use std::sync::Once;

use llvm_sys::target as t;

/// Registers the back end for this triple, if it is one of these.
pub(super) fn register(triple: &str) {
    static AARCH64: Once = Once::new();
    static WEBASSEMBLY: Once = Once::new();
    match triple.split('-').next() {
        Some("aarch64" | "arm64") => AARCH64.call_once(|| {
            // SAFETY: registers static tables of LLVM, once.
            unsafe { t::LLVMInitializeAArch64TargetInfo() };
            // SAFETY: as above.
            unsafe { t::LLVMInitializeAArch64Target() };
            // SAFETY: as above.
            unsafe { t::LLVMInitializeAArch64TargetMC() };
            // SAFETY: as above.
            unsafe { t::LLVMInitializeAArch64AsmPrinter() };
            // SAFETY: as above. Inline assembly needs the parser.
            unsafe { t::LLVMInitializeAArch64AsmParser() };
        }),
        Some("wasm32" | "wasm64") => WEBASSEMBLY.call_once(|| {
            // SAFETY: registers static tables of LLVM, once.
            unsafe { t::LLVMInitializeWebAssemblyTargetInfo() };
            // SAFETY: as above.
            unsafe { t::LLVMInitializeWebAssemblyTarget() };
            // SAFETY: as above.
            unsafe { t::LLVMInitializeWebAssemblyTargetMC() };
            // SAFETY: as above.
            unsafe { t::LLVMInitializeWebAssemblyAsmPrinter() };
            // SAFETY: as above.
            unsafe { t::LLVMInitializeWebAssemblyAsmParser() };
        }),
        _ => {}
    }
}
