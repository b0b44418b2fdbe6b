//! Code cache: optimized code in a folder, linked by later processes instead of compiled again.
//!
//! ```text
//!  unit ──► unit without addresses ──► key ──► file? ──► relocatable code ──► linked with the unit's addresses
//!                                               │ none          ▲
//!                                               └─► compile ────┘──► written
//! ```
//! The [code generator](generator) compiles relocatable code from a unit that has no addresses, so
//! the code is a function of the key: that unit with all inlined definitions, the settings, the
//! processor with its features, the version of LLVM, and the build ids of all programs and shared
//! objects that took part.
//!
//! The [folder] belongs to the user, and no one else may write to it, because its content is
//! executed. An [entry] that is damaged or has another key is ignored. An entry is written under a
//! temporary name and renamed, so any number of processes may use one folder at a time, and any of
//! them may be killed.
//!
//! The cache also notes [what was hot](hot_code), so that it tiers up at once in the next process.
//!
//! Nothing that goes wrong here fails an evaluation: without an entry, code is compiled.

mod entry;
mod eviction;
mod folder;
pub(crate) mod generator;
mod hot_code;
#[cfg(test)]
mod tests;

use entry::{checksum, decode, encode};
use eviction::Eviction;
use folder::Folder;
use kaleidoscope_native::build_id_at;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// The size limit of a cache in bytes, if none is given.
const DEFAULT_MAX_BYTES: u64 = 256 << 20;

/// The largest entry in bytes. Optimized code of one unit has a few kilobytes.
const MAX_ENTRY_BYTES: u64 = 16 << 20;

/// A folder of compiled code, shared by engines and processes. See
/// [`Builder::cache`](crate::Builder::cache).
///
/// Clones are handles to the same cache, and share its counts.
#[derive(Clone)]
pub struct CodeCache {
    shared: Arc<Shared>,
}

struct Shared {
    folder: Folder,
    /// The build id of the engine, which belongs to all keys.
    engine: Vec<u8>,
    /// Why no code can be kept, once a code generator has been started.
    obstacle: OnceLock<String>,
    max_bytes: u64,
    eviction: Eviction,
    n_found: AtomicU64,
    n_missing: AtomicU64,
    n_written: AtomicU64,
    n_failed: AtomicU64,
}

/// What a cache was used for so far, by this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheTotals {
    /// Compilations that the cache made unnecessary.
    pub found: u64,
    /// Compilations for which the cache had no entry, or a damaged one.
    pub missing: u64,
    /// Compiled code that was written.
    pub written: u64,
    /// Entries that could not be written, for example to a full disk.
    pub failed: u64,
}

/// Why a folder cannot be a cache.
#[derive(Debug)]
pub struct CacheError {
    message: String,
}

impl CodeCache {
    /// Opens the cache in a folder, which is created if it does not exist.
    ///
    /// Deleting the folder or a file in it is safe at any time. The cache deletes the files that
    /// were not used for the longest time when all have more than 256 MiB.
    ///
    /// # Errors
    /// If the folder cannot be created or opened, belongs to another user, or can be written by
    /// others: what is in it runs as code of this process. If the program, or the shared object
    /// with this library, has no build id, which its linker writes with `-Wl,--build-id`.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, CacheError> {
        Self::open_with_limit(folder, DEFAULT_MAX_BYTES)
    }

    /// As [`open`](Self::open), with another limit of all files together, in bytes.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_limit(folder: impl AsRef<Path>, max_bytes: u64) -> Result<Self, CacheError> {
        let engine = build_id_at(Self::open_for_engine as *const () as usize);
        Self::open_for_engine(folder.as_ref(), max_bytes, engine)
    }

    /// Opens the cache for an engine that has this build id.
    fn open_for_engine(folder: &Path, max_bytes: u64, engine: Option<Vec<u8>>) -> Result<Self, CacheError> {
        let missing = || "this program has no build id, which its linker writes with -Wl,--build-id";
        let engine = engine.ok_or_else(|| CacheError { message: missing().to_owned() })?;
        let folder = Folder::open(folder).map_err(|message| CacheError { message })?;
        let shared = Shared {
            folder,
            engine,
            obstacle: OnceLock::new(),
            max_bytes,
            eviction: Eviction::new(max_bytes),
            n_found: AtomicU64::new(0),
            n_missing: AtomicU64::new(0),
            n_written: AtomicU64::new(0),
            n_failed: AtomicU64::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Why no code can be kept, in one sentence without a full stop. Known when an engine that has
    /// this cache has compiled optimized code. Nothing is written then.
    #[must_use]
    pub fn obstacle(&self) -> Option<&str> {
        self.shared.obstacle.get().map(String::as_str)
    }

    /// The counts so far.
    pub fn totals(&self) -> CacheTotals {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Shared { n_found, n_missing, n_written, n_failed, .. } = &*self.shared;
        CacheTotals {
            found: of(n_found),
            missing: of(n_missing),
            written: of(n_written),
            failed: of(n_failed),
        }
    }

    /// The content of the entry with this key, if there is a whole one.
    fn read(&self, kind: EntryKind, key: &[u8]) -> Option<Vec<u8>> {
        let file = self.shared.folder.read(&file_name(kind, key), MAX_ENTRY_BYTES)?;
        decode(&file, key).map(<[u8]>::to_vec)
    }

    /// Writes an entry, in the place of an earlier one with this key. A failure is only counted.
    fn write(&self, kind: EntryKind, key: &[u8], content: &[u8]) {
        let Shared { folder, max_bytes, eviction, n_written, n_failed, obstacle, .. } = &*self.shared;
        if obstacle.get().is_some() {
            return;
        }
        let file = encode(key, content);
        let n_bytes = file.len() as u64;
        if n_bytes > MAX_ENTRY_BYTES.min(*max_bytes) {
            n_failed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let count = match (folder.write(&file_name(kind, key), &file), kind) {
            (Ok(()), EntryKind::Code) => Some(n_written),
            (Ok(()), EntryKind::HotCode) => None,
            (Err(_), _) => Some(n_failed),
        };
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        eviction.after_write(folder, n_bytes, *max_bytes);
    }
}

/// What an entry has.
#[derive(Clone, Copy, Debug)]
enum EntryKind {
    /// Relocatable code.
    Code,
    /// What was optimized.
    HotCode,
}

impl EntryKind {
    /// The end of the file's name.
    fn suffix(self) -> &'static str {
        match self {
            Self::Code => folder::CODE_SUFFIX,
            Self::HotCode => folder::HOT_CODE_SUFFIX,
        }
    }
}

/// The name of an entry's file. Two keys may have one name: the file has the whole key.
fn file_name(kind: EntryKind, key: &[u8]) -> String {
    format!("{:016x}{}", checksum(key), kind.suffix())
}

impl fmt::Debug for CodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeCache").field("totals", &self.totals()).finish_non_exhaustive()
    }
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CacheError {}
