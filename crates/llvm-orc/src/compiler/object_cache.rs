//! Object cache: compiled objects in a directory, reused by later processes.
//!
//! - The key is everything that an object depends on: the module as bitcode, triple, processor,
//!   features, passes, optimization level, and the versions of LLVM and of this crate.
//! - The file name is a hash of the key. The file contains the whole key, so two keys with one hash
//!   never share an object.
//! - A file is written under a temporary name and renamed, so readers see a complete file or none.
//!   Readers check lengths and a checksum, and treat a damaged file as missing.

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use llvm_sys::bit_writer::LLVMWriteBitcodeToMemoryBuffer;
use llvm_sys::prelude::LLVMModuleRef;

use crate::error::{Error, ErrorKind};
use crate::llvm_version::llvm_version;
use crate::memory_buffer::MemoryBuffer;
use crate::object::Object;

/// Start of each file. The digit changes with the file format.
const MAGIC: &[u8; 8] = b"llvmorc1";

/// Objects in a directory, shared by compilers, threads and processes. See
/// [`CompilerBuilder::cache`](super::CompilerBuilder::cache).
///
/// Clones are handles to the same cache and share its counts.
#[derive(Clone)]
pub struct ObjectCache {
    directory: Arc<Path>,
    counts: Arc<Counts>,
    /// Set by [`ObjectCache::open`] only, so programs without a cache do not link LLVM's bitcode
    /// writer.
    bitcode: fn(LLVMModuleRef) -> Result<MemoryBuffer, Error>,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    failures: AtomicU64,
}

impl ObjectCache {
    /// Opens the cache in a directory, which is created if it does not exist.
    ///
    /// The cache never deletes a file. Deleting the directory or any file in it is safe at any
    /// time.
    ///
    /// # Errors
    /// [`ErrorKind::Object`] if the directory does not exist and cannot be created.
    ///
    /// # Safety
    /// Objects of the cache are executed unchecked: damage is detected, forgery is not. Only those
    /// who may write the program itself may write to the directory.
    pub unsafe fn open(directory: impl AsRef<Path>) -> Result<ObjectCache, Error> {
        let directory = directory.as_ref();
        fs::create_dir_all(directory).map_err(|error| {
            Error::new(ErrorKind::Object, format!("cannot create cache in {}: {error}", directory.display()))
        })?;
        Ok(ObjectCache { directory: directory.into(), counts: Arc::default(), bitcode })
    }

    /// Number of objects found in the cache.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.counts.hits.load(Ordering::Relaxed)
    }

    /// Number of objects that were not found, and were compiled.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.counts.misses.load(Ordering::Relaxed)
    }

    /// Number of objects that could not be written, for example to a full disk.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.counts.failures.load(Ordering::Relaxed)
    }

    /// The entry for a module that is compiled with `options`.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`].
    pub(super) fn entry(&self, module: LLVMModuleRef, options: &[&str]) -> Result<CacheEntry, Error> {
        let mut key = Vec::new();
        let version = llvm_version();
        for part in options.iter().copied().chain([version.as_str(), env!("CARGO_PKG_VERSION")]) {
            write_part(&mut key, part.as_bytes());
        }
        write_part(&mut key, (self.bitcode)(module)?.bytes());
        let path = self.directory.join(format!("{:016x}.object", checksum(&key)));
        Ok(CacheEntry { cache: self.clone(), key, path, found: false })
    }
}

impl fmt::Debug for ObjectCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectCache")
            .field("directory", &self.directory)
            .field("hits", &self.hits())
            .field("misses", &self.misses())
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}

/// One object's key and file. The file may not exist yet.
pub(super) struct CacheEntry {
    cache: ObjectCache,
    key: Vec<u8>,
    path: PathBuf,
    found: bool,
}

impl CacheEntry {
    /// Reads the object. `None` if the file does not exist or is damaged.
    pub(super) fn read(&mut self) -> Option<Arc<[u8]>> {
        let found = fs::read(&self.path).ok().and_then(|file| decode(&file, &self.key).map(Arc::from));
        let count = if found.is_some() { &self.cache.counts.hits } else { &self.cache.counts.misses };
        count.fetch_add(1, Ordering::Relaxed);
        self.found = found.is_some();
        found
    }

    /// Writes the object if `read` did not find it. A failure is counted and otherwise ignored,
    /// because the compiled object is usable without the cache.
    pub(super) fn store(&self, object: &Object) {
        if !self.found && self.try_write(object).is_err() {
            self.cache.counts.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn try_write(&self, object: &Object) -> io::Result<()> {
        static N_WRITTEN: AtomicU64 = AtomicU64::new(0);
        let n = N_WRITTEN.fetch_add(1, Ordering::Relaxed);
        let temporary = self.path.with_extension(format!("{}-{n}", process::id()));
        let written = fs::write(&temporary, encode(&self.key, object.bytes()))
            .and_then(|()| fs::rename(&temporary, &self.path));
        if written.is_err() {
            // A second failure cannot be handled either.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// File contents: magic, key and object with their lengths, checksum.
fn encode(key: &[u8], object: &[u8]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    write_part(&mut file, key);
    write_part(&mut file, object);
    let sum = checksum(&file);
    file.extend_from_slice(&sum.to_le_bytes());
    file
}

/// The object in a file that is complete and has this key.
fn decode<'a>(file: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let (content, sum) = file.split_last_chunk()?;
    if checksum(content) != u64::from_le_bytes(*sum) {
        return None;
    }
    let rest = content.strip_prefix(MAGIC)?;
    let (found, rest) = read_part(rest)?;
    let (object, rest) = read_part(rest)?;
    (found == key && rest.is_empty()).then_some(object)
}

fn write_part(file: &mut Vec<u8>, part: &[u8]) {
    file.extend_from_slice(&(part.len() as u64).to_le_bytes());
    file.extend_from_slice(part);
}

fn read_part(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = file.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

/// FNV-1a with 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The module as bitcode. The module must be alive.
fn bitcode(module: LLVMModuleRef) -> Result<MemoryBuffer, Error> {
    // SAFETY: the module is alive.
    let buffer = unsafe { LLVMWriteBitcodeToMemoryBuffer(module) };
    // SAFETY: we own the buffer.
    unsafe { MemoryBuffer::from_raw(buffer) }
}
