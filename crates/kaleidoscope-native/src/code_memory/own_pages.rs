//! Own pages: private memory for one piece of code.
//!
//! A debugger writes breakpoints into code. It cannot write to a slab, which the process shares
//! with a file, so code that debuggers see has pages of its own. They are written first, and
//! executable afterwards.

use std::ptr::null_mut;
use std::slice::from_raw_parts_mut;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::arch::{PAGE_SIZE, TRAP_BYTE};
use crate::error::Error;

/// Copies the code to new pages. Returns their address.
pub(super) fn map(code: &[u8]) -> Result<usize, Error> {
    let n_bytes = mapped_bytes(code.len());
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: no address is given, so that no other mapping is replaced.
    let mapped = unsafe { mmap_anonymous(null_mut(), n_bytes, protection, MapFlags::PRIVATE) };
    let mapped = mapped.map_err(|error| Error::code_memory("mmap", error))?;
    // SAFETY: the mapping is as large, writable, ours alone, and filled with zeros.
    let bytes = unsafe { from_raw_parts_mut(mapped.cast::<u8>(), n_bytes) };
    bytes[..code.len()].copy_from_slice(code);
    bytes[code.len()..].fill(TRAP_BYTE);
    let protection = MprotectFlags::READ | MprotectFlags::EXEC;
    // SAFETY: the mapping is ours alone, and Rust does not access it any more.
    let protected = unsafe { mprotect(mapped, n_bytes, protection) };
    let address = mapped.expose_provenance();
    protected.map(|()| address).map_err(|error| {
        // SAFETY: mapped above, and not used by anyone.
        unsafe { unmap(address, code.len()) };
        Error::code_memory("mprotect", error)
    })
}

/// Frees the pages of this many bytes of code.
///
/// # Safety
/// The address and the number of bytes are those of a [`map`]. No one uses the code any more.
pub(super) unsafe fn unmap(address: usize, n_bytes: usize) {
    let start = std::ptr::with_exposed_provenance_mut(address);
    // SAFETY: the caller says that the mapping is not used.
    let unmapped = unsafe { munmap(start, mapped_bytes(n_bytes)) };
    debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
}

/// The size of the pages for this many bytes of code.
fn mapped_bytes(n_bytes: usize) -> usize {
    n_bytes.max(1).next_multiple_of(PAGE_SIZE)
}
