//! Machine specifics: registration of LLVM's native target, and its number in ELF.
//!
//! A port may add a file beside `x86_64.rs`. `other.rs` works on all architectures but links all of
//! LLVM's targets. The file provides:
//!
//! - `register_native()`: registers the native target, its assembly printer and assembly parser.
//! - `ELF_MACHINE`: the architecture's `e_machine` in ELF.

#[cfg(not(target_arch = "x86_64"))]
mod other;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use other::*;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::*;
