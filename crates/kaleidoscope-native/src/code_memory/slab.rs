//! One mapping of code, readable and executable, and the file behind it, through which code is written.
//!
//! A file of this sort (`memfd_create`) is memory without a name: it is seen in no directory and goes with its last
//! user. All slabs are parts of one, so that they take one descriptor together; a slab that goes leaves a hole in it,
//! which costs nothing and is not used again.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::process;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::error::Error;

/// How much is overwritten at once.
const AT_ONCE: usize = 4096;

/// The file that slabs are parts of.
#[derive(Debug)]
pub(super) struct CodeFile {
    file: File,
    /// The process that may write it: a child that was forked shares it with its parent, and the parent's code is not
    /// the child's to change.
    process: u32,
    /// Where the next slab starts.
    end: AtomicU64,
}

impl CodeFile {
    pub(super) fn new() -> Result<Self, Error> {
        let file = memfd_create(c"code", MemfdFlags::CLOEXEC).map_err(Error::code)?;
        Ok(Self { file: file.into(), process: process::id(), end: AtomicU64::new(0) })
    }

    pub(super) fn is_of_this_process(&self) -> bool {
        self.process == process::id()
    }
}

/// A part of the file as a mapping.
///
/// Promises: 1. `base` is the start of a mapping of `n_bytes` that this value alone owns; it is unmapped on drop and
/// nowhere else. 2. The part of the file from `offset` on, `n_bytes` long, is mapped by no other slab.
#[derive(Debug)]
pub(super) struct Slab {
    base: NonNull<u8>,
    n_bytes: usize,
    file: Arc<CodeFile>,
    offset: u64,
}

// SAFETY: the mapping belongs to the process, not to a thread (promise 1), and Rust never reads or writes it.
unsafe impl Send for Slab {}
// SAFETY: as above.
unsafe impl Sync for Slab {}

impl Slab {
    /// Maps a slab of `n_bytes`, whole pages.
    pub(super) fn map(file: Arc<CodeFile>, n_bytes: usize) -> Result<Self, Error> {
        let offset = file.end.fetch_add(n_bytes as u64, Ordering::Relaxed);
        let grown = file.file.set_len(offset + n_bytes as u64);
        grown.map_err(|error| Error::code_file(&error))?;
        let protection = ProtFlags::READ | ProtFlags::EXEC;
        // SAFETY: no address is asked for, so that no other mapping is replaced.
        let base = unsafe { mmap(null_mut(), n_bytes, protection, MapFlags::SHARED, &file.file, offset) }
            .map_err(Error::code)?;
        let base = NonNull::new(base.cast::<u8>()).expect("the system never maps the null page unasked");
        Ok(Self { base, n_bytes, file, offset })
    }

    /// Its addresses.
    pub(super) fn range(&self) -> Range<usize> {
        let start = self.base.addr().get();
        start..start + self.n_bytes
    }

    /// Where an address of this slab is in the file.
    pub(super) fn place(&self, address: usize) -> Place {
        Place { file: Arc::clone(&self.file), offset: self.offset + (address - self.range().start) as u64 }
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone (promise 1), and whoever jumps into it promises that the code is still
        // there.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.n_bytes) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
        if self.file.is_of_this_process() {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let given = fallocate(&self.file.file, flags, self.offset, self.n_bytes as u64);
            debug_assert!(given.is_ok(), "memory of our own can be given back");
        }
    }
}

/// A place in the file that is mapped by a slab.
#[derive(Debug)]
pub(super) struct Place {
    file: Arc<CodeFile>,
    offset: u64,
}

impl Place {
    pub(super) fn file(&self) -> &CodeFile {
        &self.file
    }

    /// Writes bytes here.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        self.file.file.write_all_at(bytes, self.offset).map_err(|error| Error::code_file(&error))
    }

    /// Writes one byte `n_bytes` times over what was written before, which needs no memory and so does not fail.
    pub(super) fn fill(&self, n_bytes: usize, byte: u8) {
        let bytes = [byte; AT_ONCE];
        for at in (0..n_bytes).step_by(AT_ONCE) {
            let part = &bytes[..AT_ONCE.min(n_bytes - at)];
            let written = self.file.file.write_all_at(part, self.offset + at as u64);
            debug_assert!(written.is_ok(), "what has been written can be overwritten");
        }
    }
}
