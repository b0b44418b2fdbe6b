//! Machine specifics: registration of LLVM's native target, its number in ELF, and a symbol that
//! other crates define, too.
//!
//! A port may add a file beside `x86_64.rs`. `other.rs` works on all architectures but links all of
//! LLVM's targets. The file provides:
//!
//! - `register_native()`: registers the native target, its assembly printer and assembly parser.
//! - `list_lock()`: the word that locks the list of objects that debuggers see.
//! - `ELF_MACHINE`: the architecture's `e_machine` in ELF.

#[cfg(not(target_arch = "x86_64"))]
mod other;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use other::*;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::*;
