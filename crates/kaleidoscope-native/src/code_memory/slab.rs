//! Slabs: mappings of code, readable and executable, and the file through which code is written.
//!
//! The file is anonymous memory (`memfd_create`): it has no name in a file system, and is freed
//! with its last user. All slabs of a code memory are parts of one file, so they take one file
//! descriptor. The part of an unmapped slab is given to a later one.
//!
//! The file ends where the last code ends: writing extends it, and it is cut when its last slab is
//! unmapped. So a limit on the size of files (`RLIMIT_FSIZE`) is a limit on code. The system sends
//! a signal to a process that writes beyond that limit, so each write looks at the limit first,
//! which may change at any time.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::process;
use std::ptr::{NonNull, null_mut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::process::{Resource, getrlimit};

use super::free_ranges::FreeRanges;
use crate::arch::TRAP_BYTE;
use crate::error::Error;

/// The offsets that slabs can have.
const OFFSETS: Range<usize> = 0..1 << 46;

/// What freed code is overwritten with: as many bytes as one system call writes.
static TRAPS: [u8; 4096] = [TRAP_BYTE; 4096];

/// The file whose parts are slabs.
#[derive(Debug)]
pub(super) struct CodeFile {
    file: File,
    /// The process that may write the file. A forked child shares the file with its parent, and
    /// must not change the parent's code.
    process: u32,
    /// The offsets that belong to no slab.
    free: Mutex<FreeRanges>,
}

impl CodeFile {
    pub(super) fn new() -> Result<Self, Error> {
        let file = memfd_create(c"code", MemfdFlags::CLOEXEC)
            .map_err(|error| Error::code_memory("memfd_create", error))?;
        let mut free = FreeRanges::default();
        free.put(OFFSETS.start, OFFSETS.len(), OFFSETS);
        Ok(Self { file: file.into(), process: process::id(), free: Mutex::new(free) })
    }

    /// The length of the file in bytes.
    #[cfg(test)]
    pub(super) fn len(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Takes a part of the file for a slab.
    fn take(&self, n_bytes: usize) -> Result<usize, Error> {
        self.free().take(n_bytes, 1).ok_or_else(|| Error::code_memory("mmap", Errno::NOMEM))
    }

    /// Frees the part of a slab that is no longer mapped.
    fn put(&self, offset: usize, n_bytes: usize) {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let punched = fallocate(&self.file, flags, offset as u64, n_bytes as u64);
        debug_assert!(punched.is_ok(), "memory of our own can be released");
        let mut free = self.free();
        free.put(offset, n_bytes, OFFSETS);
        // Under the lock: no slab gets the part that is cut off meanwhile.
        if let Some(end) = free.start_of_last().filter(|&end| end <= offset) {
            // A file that is shorter already stays so.
            let length = self.file.metadata().map_or(0, |metadata| metadata.len());
            if length > end as u64 {
                // The size is only a nicety where the system does not even allow less.
                drop(self.file.set_len(end as u64));
            }
        }
    }

    fn free(&self) -> MutexGuard<'_, FreeRanges> {
        // No panic under the lock leaves the ranges half changed.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
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
    offset: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread (promise 1), and Rust never reads or
// writes it.
unsafe impl Send for Slab {}
// SAFETY: as above.
unsafe impl Sync for Slab {}

impl Slab {
    /// Maps a slab of `n_bytes`, whole pages.
    pub(super) fn map(file: Arc<CodeFile>, n_bytes: usize) -> Result<Self, Error> {
        let offset = file.take(n_bytes)?;
        let protection = ProtFlags::READ | ProtFlags::EXEC;
        // SAFETY: no address is given, so that no other mapping is replaced.
        let mapped =
            unsafe { mmap(null_mut(), n_bytes, protection, MapFlags::SHARED, &file.file, offset as u64) };
        let base = mapped.map_err(|error| {
            file.put(offset, n_bytes);
            Error::code_memory("mmap", error)
        })?;
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
            offset: (self.offset + address - self.range().start) as u64,
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
            self.file.put(self.offset, self.n_bytes);
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
        self.check_limit(bytes.len())?;
        self.file.file.write_all_at(bytes, self.offset).map_err(|error| Error::code_memory_file(&error))
    }

    /// Overwrites `n_bytes` that were written before with traps. Needs no memory. Fails if the
    /// process limited the size of its files meanwhile.
    pub(super) fn fill_with_traps(&self, n_bytes: usize) -> Result<(), Error> {
        self.check_limit(n_bytes)?;
        for at in (0..n_bytes).step_by(TRAPS.len()) {
            let part = &TRAPS[..TRAPS.len().min(n_bytes - at)];
            let written = self.file.file.write_all_at(part, self.offset + at as u64);
            debug_assert!(written.is_ok(), "written bytes can be overwritten");
        }
        Ok(())
    }

    /// Fails if a write of this length would exceed the limit on the size of files.
    fn check_limit(&self, n_bytes: usize) -> Result<(), Error> {
        match getrlimit(Resource::Fsize).current {
            Some(limit) if self.offset + n_bytes as u64 > limit => {
                Err(Error::code_memory("write", Errno::FBIG))
            }
            _ => Ok(()),
        }
    }
}
