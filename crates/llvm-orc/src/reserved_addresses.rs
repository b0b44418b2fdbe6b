//! Reserved addresses: a range near code that nothing else in the process uses.
//!
//! Debuggers want an address for each section that is in memory, and no two sections at one
//! address. The linked `.eh_frame` has an address, but no symbol that tells it. A debugger reads
//! the section from the object file, so an address that is near enough and unused does as well.

use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};

// SAFETY: the signatures are those of the C library on 64-bit Unix.
unsafe extern "C" {
    fn mmap(
        address: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn munmap(address: *mut c_void, length: usize) -> c_int;
}

/// The distance that offsets of 32 bits reach, with room for the sections themselves.
const NEAR: u64 = (1 << 31) - (1 << 24);

/// A mapping that is never accessed.
pub(crate) struct ReservedAddresses {
    start: NonNull<c_void>,
    n_bytes: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is not accessed.
unsafe impl Send for ReservedAddresses {}
// SAFETY: as above.
unsafe impl Sync for ReservedAddresses {}

impl ReservedAddresses {
    /// Reserves a range as near to the address as the system allows. `None` if that is too far.
    pub(crate) fn near(address: u64, n_bytes: usize) -> Option<ReservedAddresses> {
        const PRIVATE: c_int = 2;
        #[cfg(target_os = "linux")]
        const ANONYMOUS: c_int = 0x20;
        #[cfg(not(target_os = "linux"))]
        const ANONYMOUS: c_int = 0x1000;
        let n_bytes = n_bytes.max(1);
        let hint = ptr::without_provenance_mut(usize::try_from(address).ok()?);
        // SAFETY: the address is only a hint, so no other mapping is replaced.
        let mapped = unsafe { mmap(hint, n_bytes, 0, PRIVATE | ANONYMOUS, -1, 0) };
        if mapped.addr() == usize::MAX {
            return None;
        }
        let reserved = ReservedAddresses { start: NonNull::new(mapped)?, n_bytes };
        (reserved.start().abs_diff(address) < NEAR).then_some(reserved)
    }

    pub(crate) fn start(&self) -> u64 {
        self.start.addr().get() as u64
    }
}

impl Drop for ReservedAddresses {
    fn drop(&mut self) {
        // SAFETY: we own the mapping, and it is never accessed.
        unsafe { munmap(self.start.as_ptr(), self.n_bytes) };
    }
}
