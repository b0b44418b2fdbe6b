//! Machine specifics: how LLVM's native target is registered, and its number in ELF.
//!
//! What a port may provide, in a file beside `x86_64.rs`; `other.rs` works on all architectures,
//! but links all of LLVM's targets:
//! - `register_native()`: registers the native target and its assembly printer;
//! - `ELF_MACHINE`: ELF's `e_machine` of this machine.

#[cfg(not(target_arch = "x86_64"))]
mod other;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use other::*;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::*;
