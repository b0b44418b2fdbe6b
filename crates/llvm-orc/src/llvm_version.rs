//! Which LLVM this is.

use llvm_sys::core::LLVMGetVersion;

/// The version of LLVM, such as `LLVM 22.1.0`.
#[must_use]
pub fn llvm_version() -> String {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: the results are our local variables.
    unsafe { LLVMGetVersion(&mut major, &mut minor, &mut patch) };
    format!("LLVM {major}.{minor}.{patch}")
}

/// An address in LLVM's code, for a look-up of the program or shared object that contains it.
#[must_use]
pub fn llvm_address() -> crate::Address {
    crate::Address::new(LLVMGetVersion as *const () as u64)
}
