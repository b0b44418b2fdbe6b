//! Eviction: keeps the files of a cache below its limit.
//!
//! Looking at all files takes some microseconds for each, and there may be 100,000. It happens
//! whenever a process has written a sixteenth of the limit. The count begins at a random number, so
//! of many processes that write little, one looks after about as many bytes.

use super::folder::{Folder, Listed, TEMPORARY_SUFFIX};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The age in seconds at which a temporary file has no writer any more.
const ABANDONED_SECONDS: i64 = 60 * 60;

#[derive(Debug)]
pub(super) struct Eviction {
    /// Bytes written since the files were looked at. Begins at a random number.
    n_bytes: AtomicU64,
}

impl Eviction {
    pub(super) fn new(max_bytes: u64) -> Self {
        let random = RandomState::new().hash_one(());
        Self { n_bytes: AtomicU64::new(random % interval(max_bytes)) }
    }

    /// Counts a write, and evicts files if it is time.
    pub(super) fn after_write(&self, folder: &Folder, n_bytes: u64, max_bytes: u64) {
        let n_bytes = self.n_bytes.fetch_add(n_bytes, Ordering::Relaxed) + n_bytes;
        if n_bytes < interval(max_bytes) {
            return;
        }
        self.n_bytes.store(0, Ordering::Relaxed);
        let Ok(files) = folder.list() else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        for name in chosen(files, max_bytes, now) {
            folder.remove(&name);
        }
    }
}

/// The number of bytes that are written between two looks at the files.
fn interval(max_bytes: u64) -> u64 {
    (max_bytes / 16).max(1)
}

/// The names of the files to remove: temporary files without a writer, and if the others exceed the
/// limit, those that were not used for the longest time, until three quarters of it are left.
pub(super) fn chosen(files: Vec<Listed>, max_bytes: u64, now: i64) -> Vec<String> {
    let is_temporary = |file: &Listed| file.name.ends_with(TEMPORARY_SUFFIX);
    let (temporary, mut files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_temporary);
    let abandoned = temporary.into_iter().filter(|file| now - file.used.0 > ABANDONED_SECONDS);
    let mut names: Vec<String> = abandoned.map(|file| file.name).collect();
    let mut n_bytes: u64 = files.iter().map(|file| file.n_bytes).fold(0, u64::saturating_add);
    if n_bytes > max_bytes {
        files.sort();
        for file in files {
            if n_bytes <= max_bytes / 4 * 3 {
                break;
            }
            n_bytes -= file.n_bytes.min(n_bytes);
            names.push(file.name);
        }
    }
    names
}
