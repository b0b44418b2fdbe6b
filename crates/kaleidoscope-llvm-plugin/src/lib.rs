//! The optimizing compiler as a shared object, which the command loads when it first needs
//! optimized code. The crate exports the plug-in interface and nothing else.

#![allow(unsafe_code, reason = "the loader finds the interface by a symbol")]

use kaleidoscope_llvm::Llvm;
use kaleidoscope_plugin::{AbortingAllocator, Interface, interface};

#[global_allocator]
static ALLOCATOR: AbortingAllocator = AbortingAllocator::unless(|| false);

/// The symbol that the loader looks for.
// SAFETY: no other library exports a symbol of this name.
#[unsafe(no_mangle)]
pub static KALEIDOSCOPE_CODE_GENERATOR: Interface = interface::<Llvm>();
