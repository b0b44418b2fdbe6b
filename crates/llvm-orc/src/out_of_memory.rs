//! Memory that is missing inside LLVM: the process ends with one sentence.
//!
//! LLVM cannot return an error then. Its own answer to a failed `operator new` is an exception,
//! which must not pass through Rust. See `shim/out_of_memory.cpp`; without the feature `shim`, LLVM
//! does as it does by itself.

use std::marker::PhantomData;

// SAFETY: the signatures are those of the C++ file.
#[cfg(feature = "shim")]
unsafe extern "C" {
    safe fn llvm_orc_enter();
    fn llvm_orc_leave();
}

/// This thread is inside LLVM until this value is dropped.
///
/// Whoever calls a function of LLVM that allocates holds one. Values of different calls may
/// overlap.
pub(crate) struct InsideLlvm {
    not_send: PhantomData<*const ()>,
}

impl InsideLlvm {
    pub(crate) fn enter() -> InsideLlvm {
        #[cfg(feature = "shim")]
        llvm_orc_enter();
        InsideLlvm { not_send: PhantomData }
    }
}

impl Drop for InsideLlvm {
    fn drop(&mut self) {
        #[cfg(feature = "shim")]
        // SAFETY: `enter` entered on this thread, and this leaves once.
        unsafe {
            llvm_orc_leave();
        }
    }
}
