//! Objects kept in a directory, for the next start of the program.
//!
//! An entry's key is all that its object depends on: the module as bitcode, the machine, its processor and features,
//! the passes, the level, the versions of LLVM and of this crate. The file's name is a hash of the key, and the key stands
//! in the file, whole: two keys of one hash are told apart, and no object is taken for another's. A file is written
//! under another name and then renamed, so that a reader sees all of it or nothing; what is torn or no entry all the same does
//! not fit its lengths or its checksum, and is made anew.

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
use llvm_sys::core::{LLVMDisposeMemoryBuffer, LLVMGetBufferSize, LLVMGetBufferStart, LLVMGetVersion};
use llvm_sys::prelude::LLVMModuleRef;

use crate::error::{Error, ErrorKind};
use crate::object::Object;

/// What each file starts with. The digit changes with the form.
const MAGIC: &[u8; 8] = b"llvmorc1";

/// Objects in a directory, shared by compilers, threads and processes. See
/// [`CompilerBuilder::cache`](super::CompilerBuilder::cache).
///
/// Copies are handles of the same cache, and count together.
#[derive(Clone)]
pub struct ObjectCache {
    directory: Arc<Path>,
    counts: Arc<Counts>,
    /// Named by [`ObjectCache::open`] alone: who opens no cache does not link what writes bitcode.
    bitcode: fn(LLVMModuleRef) -> Vec<u8>,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    failures: AtomicU64,
}

impl ObjectCache {
    /// The cache in a directory, which is made if there is none.
    ///
    /// Nothing is ever removed from it: deleting the directory, or any file in it, is safe at any time.
    ///
    /// # Errors
    /// [`ErrorKind::Object`] if there is no such directory and it cannot be made.
    ///
    /// # Safety
    /// The objects in it are run as they are. Damage is found out, but not forgery: nobody whom you would not let write the
    /// program itself may write there.
    pub unsafe fn open(directory: impl AsRef<Path>) -> Result<ObjectCache, Error> {
        let directory = directory.as_ref();
        fs::create_dir_all(directory).map_err(|error| {
            Error::new(ErrorKind::Object, format!("no cache in {}: {error}", directory.display()))
        })?;
        Ok(ObjectCache { directory: directory.into(), counts: Arc::default(), bitcode })
    }

    /// How many objects were found.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.counts.hits.load(Ordering::Relaxed)
    }

    /// How many objects were not found, and compiled.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.counts.misses.load(Ordering::Relaxed)
    }

    /// How many objects could not be kept: the disk is full, or the directory is gone.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.counts.failures.load(Ordering::Relaxed)
    }

    /// The entry for a module, compiled in the way that `options` say.
    pub(super) fn entry(&self, module: LLVMModuleRef, options: &[&str]) -> CacheEntry {
        let mut key = Vec::new();
        let version = llvm_version();
        for part in options.iter().copied().chain([version.as_str(), env!("CARGO_PKG_VERSION")]) {
            write_part(&mut key, part.as_bytes());
        }
        write_part(&mut key, &(self.bitcode)(module));
        let path = self.directory.join(format!("{:016x}.object", checksum(&key)));
        CacheEntry { cache: self.clone(), key, path, found: false }
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

/// Where one object is, or will be.
pub(super) struct CacheEntry {
    cache: ObjectCache,
    key: Vec<u8>,
    path: PathBuf,
    found: bool,
}

impl CacheEntry {
    /// The object, if it is there and whole.
    pub(super) fn read(&mut self) -> Option<Arc<[u8]>> {
        let found = fs::read(&self.path).ok().and_then(|file| decode(&file, &self.key).map(Arc::from));
        let count = if found.is_some() { &self.cache.counts.hits } else { &self.cache.counts.misses };
        count.fetch_add(1, Ordering::Relaxed);
        self.found = found.is_some();
        found
    }

    /// Keeps the object, if it was not found. What goes wrong is counted: that nothing is kept is no reason not to go on.
    pub(super) fn store(&self, object: &Object) {
        if !self.found && self.try_write(object).is_err() {
            self.cache.counts.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn try_write(&self, object: &Object) -> io::Result<()> {
        static N_WRITTEN: AtomicU64 = AtomicU64::new(0);
        let n = N_WRITTEN.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.path.with_extension(format!("{}-{n}", process::id()));
        let written = fs::write(&unfinished, encode(&self.key, object.bytes()))
            .and_then(|()| fs::rename(&unfinished, &self.path));
        if written.is_err() {
            // Nothing more can be done about it.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }
}

/// The file for an object: key and object with their lengths, and a checksum of both.
fn encode(key: &[u8], object: &[u8]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    write_part(&mut file, key);
    write_part(&mut file, object);
    let sum = checksum(&file);
    file.extend_from_slice(&sum.to_le_bytes());
    file
}

/// The object of a file, if that is whole and has this key.
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

/// FNV-1a, 64 bits wide.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn llvm_version() -> String {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: the results are places of ours.
    unsafe { LLVMGetVersion(&mut major, &mut minor, &mut patch) };
    format!("LLVM {major}.{minor}.{patch}")
}

/// The module, which is alive, as bitcode.
fn bitcode(module: LLVMModuleRef) -> Vec<u8> {
    // SAFETY: the module is alive.
    let buffer = unsafe { LLVMWriteBitcodeToMemoryBuffer(module) };
    // SAFETY: the buffer is alive.
    let start = unsafe { LLVMGetBufferStart(buffer) };
    // SAFETY: the buffer is alive.
    let length = unsafe { LLVMGetBufferSize(buffer) };
    // SAFETY: the buffer has that many bytes, never null.
    let bytes = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) }.to_vec();
    // SAFETY: ours, given back once.
    unsafe { LLVMDisposeMemoryBuffer(buffer) };
    bytes
}
