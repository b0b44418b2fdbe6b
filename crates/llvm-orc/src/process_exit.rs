//! The end of the process while a thread compiles.
//!
//! `exit`, which also follows `main`, destroys LLVM's tables while other threads go on. Therefore
//! it waits until they have compiled what they are compiling, and a later compilation returns an
//! error. `fork` waits, too, because the child has LLVM's locks without the threads that hold them.
//! See `shim/process_exit.cpp`; without the feature `shim`, nothing waits.

use std::marker::PhantomData;

use crate::error::Error;
#[cfg(feature = "shim")]
use crate::error::ErrorKind;

// SAFETY: the signatures are those of the C++ file.
#[cfg(feature = "shim")]
unsafe extern "C" {
    safe fn llvm_orc_begin_work() -> bool;
    fn llvm_orc_end_work();
}

/// LLVM works on this thread until this value is dropped.
pub(crate) struct Work {
    not_send: PhantomData<*const ()>,
}

impl Work {
    /// # Errors
    /// [`ErrorKind::ProcessExit`](crate::ErrorKind::ProcessExit) if the process is ending.
    pub(crate) fn begin() -> Result<Work, Error> {
        #[cfg(feature = "shim")]
        if !llvm_orc_begin_work() {
            return Err(Error::new(ErrorKind::ProcessExit, "the process is ending"));
        }
        Ok(Work { not_send: PhantomData })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        #[cfg(feature = "shim")]
        // SAFETY: `begin` began it on this thread, and it ends once.
        unsafe {
            llvm_orc_end_work();
        }
    }
}
