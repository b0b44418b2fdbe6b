//! LLVM's memory buffers: objects, bitcode and texts on the way into LLVM and out of it.
//!
//! LLVM returns null where there is no memory for a buffer: one of the few places where it reports
//! that.

use std::ptr::NonNull;

use llvm_sys::core::{
    LLVMCreateMemoryBufferWithMemoryRangeCopy, LLVMDisposeMemoryBuffer, LLVMGetBufferSize, LLVMGetBufferStart,
};
use llvm_sys::prelude::LLVMMemoryBufferRef;

use crate::error::Error;
use crate::out_of_memory::InsideLlvm;

#[cfg(test)]
mod tests;

/// A buffer that this value owns.
pub(crate) struct MemoryBuffer(NonNull<llvm_sys::LLVMMemoryBuffer>);

impl MemoryBuffer {
    /// Takes over a buffer that LLVM has made.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`](crate::ErrorKind::OutOfMemory) for null.
    ///
    /// # Safety
    /// `raw` is null, or alive and the caller passes ownership.
    pub(crate) unsafe fn from_raw(raw: LLVMMemoryBufferRef) -> Result<MemoryBuffer, Error> {
        NonNull::new(raw).map(MemoryBuffer).ok_or_else(Error::out_of_memory)
    }

    /// A buffer with a copy of the bytes.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`](crate::ErrorKind::OutOfMemory).
    pub(crate) fn copy_of(bytes: &[u8]) -> Result<MemoryBuffer, Error> {
        let _inside = InsideLlvm::enter();
        // SAFETY: LLVM copies the bytes, of which there are `len`. The name is NUL-terminated.
        let raw = unsafe {
            LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes.as_ptr().cast(), bytes.len(), c"object".as_ptr())
        };
        // SAFETY: we own the buffer.
        unsafe { MemoryBuffer::from_raw(raw) }
    }

    /// The buffer's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the buffer is alive.
        let start = unsafe { LLVMGetBufferStart(self.0.as_ptr()) };
        // SAFETY: the buffer is alive.
        let length = unsafe { LLVMGetBufferSize(self.0.as_ptr()) };
        // SAFETY: the buffer has that many bytes, which do not change as long as `self` lives.
        unsafe { std::slice::from_raw_parts(start.cast(), length) }
    }

    /// The buffer, for LLVM's use while `self` lives.
    #[cfg(all(feature = "inkwell", not(feature = "shim")))]
    pub(crate) fn raw(&self) -> LLVMMemoryBufferRef {
        self.0.as_ptr()
    }

    /// Passes ownership to the caller.
    pub(crate) fn into_raw(self) -> LLVMMemoryBufferRef {
        std::mem::ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for MemoryBuffer {
    fn drop(&mut self) {
        // SAFETY: we own the buffer and dispose of it once.
        unsafe { LLVMDisposeMemoryBuffer(self.0.as_ptr()) };
    }
}
