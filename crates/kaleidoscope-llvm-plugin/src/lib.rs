//! LLVM as a shared object that the command loads when the first optimised code is needed: the interface, and nothing else.

#![allow(unsafe_code, reason = "a symbol by which the loader finds the interface")]

use kaleidoscope_llvm::Llvm;
use kaleidoscope_plugin::{Interface, interface};

/// What the loader looks for.
// SAFETY: no other library shows a symbol of this name.
#[unsafe(no_mangle)]
pub static KALEIDOSCOPE_CODE_GENERATOR: Interface = interface::<Llvm>();
