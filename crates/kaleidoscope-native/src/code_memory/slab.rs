//! Slabs: mappings of code, readable and executable, and the file through which code is written.
//!
//! The file is anonymous memory (`memfd_create`): it has no name in a file system, and is freed
//! with its last user. All slabs of a code memory are parts of one file, so they take one file
//! descriptor. An unmapped slab leaves a hole in the file, which costs no memory and is not used
//! again.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::process;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::arch::TRAP_BYTE;
use crate::error::Error;

/// What freed code is overwritten with: as many bytes as one system call writes.
static TRAPS: [u8; 4096] = [TRAP_BYTE; 4096];

/// The file whose parts are slabs.
#[derive(Debug)]
pub(super) struct CodeFile {
    file: File,
    /// The process that may write the file. A forked child shares the file with its parent, and
    /// must not change the parent's code.
    process: u32,
    /// The offset of the next slab.
    end: AtomicU64,
}

impl CodeFile {
    pub(super) fn new() -> Result<Self, Error> {
        let file = memfd_create(c"code", MemfdFlags::CLOEXEC).map_err(Error::code_memory)?;
        Ok(Self { file: file.into(), process: process::id(), end: AtomicU64::new(0) })
    }

    pub(super) fn is_of_this_process(&self) -> bool {
        self.process == process::id()
    }
}

/// A mapped part of the file.
///
/// Promises:
/// 1. `base` is the start of a mapping of `n_bytes` that this value alone owns; only `drop` unmaps
///    it.
/// 2. No other slab maps the part of the file from `offset` on, `n_bytes` long.
#[derive(Debug)]
pub(super) struct Slab {
    base: NonNull<u8>,
    n_bytes: usize,
    file: Arc<CodeFile>,
    offset: u64,
}

// SAFETY: the mapping belongs to the process, not to a thread (promise 1), and Rust never reads or
// writes it.
unsafe impl Send for Slab {}
// SAFETY: as above.
unsafe impl Sync for Slab {}

impl Slab {
    /// Maps a slab of `n_bytes`, whole pages.
    pub(super) fn map(file: Arc<CodeFile>, n_bytes: usize) -> Result<Self, Error> {
        let offset = file.end.fetch_add(n_bytes as u64, Ordering::Relaxed);
        let grown = file.file.set_len(offset + n_bytes as u64);
        grown.map_err(|error| Error::code_memory_file(&error))?;
        let protection = ProtFlags::READ | ProtFlags::EXEC;
        // SAFETY: no address is given, so that no other mapping is replaced.
        let base = unsafe { mmap(null_mut(), n_bytes, protection, MapFlags::SHARED, &file.file, offset) }
            .map_err(Error::code_memory)?;
        let base = NonNull::new(base.cast::<u8>()).expect("the system maps the null page only on request");
        Ok(Self { base, n_bytes, file, offset })
    }

    /// The addresses of the slab.
    pub(super) fn range(&self) -> Range<usize> {
        let start = self.base.addr().get();
        start..start + self.n_bytes
    }

    /// The location in the file of an address of this slab.
    pub(super) fn location(&self, address: usize) -> FileLocation {
        FileLocation {
            file: Arc::clone(&self.file),
            offset: self.offset + (address - self.range().start) as u64,
        }
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone (promise 1), and callers of code promise that its
        // block exists.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.n_bytes) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
        if self.file.is_of_this_process() {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let punched = fallocate(&self.file.file, flags, self.offset, self.n_bytes as u64);
            debug_assert!(punched.is_ok(), "memory of our own can be released");
        }
    }
}

/// An offset in the file that is mapped by a slab.
#[derive(Debug)]
pub(super) struct FileLocation {
    file: Arc<CodeFile>,
    offset: u64,
}

impl FileLocation {
    pub(super) fn file(&self) -> &CodeFile {
        &self.file
    }

    /// Writes bytes at this location.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        self.file.file.write_all_at(bytes, self.offset).map_err(|error| Error::code_memory_file(&error))
    }

    /// Overwrites `n_bytes` that were written before with traps. Needs no memory, and so does not
    /// fail.
    pub(super) fn fill_with_traps(&self, n_bytes: usize) {
        for at in (0..n_bytes).step_by(TRAPS.len()) {
            let part = &TRAPS[..TRAPS.len().min(n_bytes - at)];
            let written = self.file.file.write_all_at(part, self.offset + at as u64);
            debug_assert!(written.is_ok(), "written bytes can be overwritten");
        }
    }
}
