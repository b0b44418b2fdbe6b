//! Validity flags: one byte for each piece of code that may become invalid while it runs. The code
//! reads the byte again and again, and leaves once the byte is set.
//!
//! Bytes are at low addresses where the system provides them, so that code compares one with a
//! single short instruction.

use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use crate::arch::{LOW_ADDRESSES, PAGE_SIZE};
use crate::error::Error;

/// A growing pool of validity flags. Any thread may use it. Its memory is freed when the pool and
/// all its [`ValidityFlag`]s are dropped.
#[derive(Debug, Default)]
pub struct ValidityFlags {
    bytes: Arc<Mutex<FlagBytes>>,
}

/// A byte that generated code reads at its [address](Self::address): 0 until the flag is set.
/// Dropping the flag returns the byte to the pool.
#[derive(Debug)]
pub struct ValidityFlag {
    page: Arc<FlagPage>,
    number: usize,
    pool: Arc<Mutex<FlagBytes>>,
}

/// The bytes of a pool, numbered through all pages.
#[derive(Debug, Default)]
struct FlagBytes {
    pages: Vec<Arc<FlagPage>>,
    /// The numbers of bytes that have been returned. These bytes are 0.
    returned: Vec<usize>,
    /// The bytes from this number on have never been allocated. They are 0, too.
    n_used: usize,
}

impl ValidityFlags {
    /// An empty pool. Maps no memory before the first flag is allocated.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allocates a flag, which is not set.
    ///
    /// # Errors
    /// If the system refuses memory.
    pub fn allocate(&self) -> Result<ValidityFlag, Error> {
        let mut bytes = lock(&self.bytes);
        let number = match bytes.returned.pop() {
            Some(number) => number,
            None => bytes.unused()?,
        };
        let page = Arc::clone(&bytes.pages[number / PAGE_SIZE]);
        drop(bytes);
        Ok(ValidityFlag { page, number, pool: Arc::clone(&self.bytes) })
    }
}

impl FlagBytes {
    /// The number of a byte that has never been allocated.
    fn unused(&mut self) -> Result<usize, Error> {
        if self.n_used == self.pages.len() * PAGE_SIZE {
            self.pages.push(Arc::new(FlagPage::map()?));
        }
        let number = self.n_used;
        self.n_used += 1;
        Ok(number)
    }
}

fn lock(bytes: &Mutex<FlagBytes>) -> MutexGuard<'_, FlagBytes> {
    // No panic under the lock leaves the bytes half changed.
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ValidityFlag {
    /// The address of the byte, which never changes. Below 2 GiB, unless the system has no such
    /// memory.
    pub fn address(&self) -> usize {
        self.byte().as_ptr().expose_provenance()
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> bool {
        self.byte().load(Ordering::Acquire) != 0
    }

    /// Sets the flag. Code that reads it as set also sees what this thread wrote before.
    pub fn set(&self) {
        self.byte().store(1, Ordering::Release);
    }

    fn byte(&self) -> &AtomicU8 {
        self.page.byte(self.number % PAGE_SIZE)
    }
}

impl Drop for ValidityFlag {
    fn drop(&mut self) {
        // The lock orders this store before all uses of the next flag with this byte.
        let mut bytes = lock(&self.pool);
        self.byte().store(0, Ordering::Relaxed);
        bytes.returned.push(self.number);
    }
}

/// A page of flags.
///
/// Promises:
/// 1. `base` is the start of a mapping of one page that this value alone owns; only `drop` unmaps
///    it.
/// 2. The page is accessed only as atomic bytes, and generated code only reads it.
#[derive(Debug)]
struct FlagPage {
    base: NonNull<u8>,
}

// SAFETY: the mapping belongs to the process, not to a thread (promise 1), and is accessed only
// atomically (promise 2).
unsafe impl Send for FlagPage {}
// SAFETY: as above.
unsafe impl Sync for FlagPage {}

impl FlagPage {
    /// Maps a page of zeros, at a low address if there is one.
    fn map() -> Result<Self, Error> {
        let map = |flags| {
            // SAFETY: no address is given, so that no other mapping is replaced.
            unsafe { mmap_anonymous(null_mut(), PAGE_SIZE, ProtFlags::READ | ProtFlags::WRITE, flags) }
        };
        let base = map(MapFlags::PRIVATE | LOW_ADDRESSES).or_else(|_| map(MapFlags::PRIVATE));
        let base = base.map_err(Error::flag_memory)?;
        let base = NonNull::new(base.cast()).expect("the system maps the null page only on request");
        Ok(Self { base })
    }

    /// The byte at this offset.
    ///
    /// # Panics
    /// If the offset is not less than the size of a page.
    fn byte(&self, offset: usize) -> &AtomicU8 {
        assert!(offset < PAGE_SIZE, "a byte of another page");
        // SAFETY: the offset lies inside the mapping (promise 1).
        let byte = unsafe { self.base.add(offset) };
        // SAFETY: all access is atomic (promise 2); the mapping lives as long as this page is
        // borrowed (promise 1).
        unsafe { AtomicU8::from_ptr(byte.as_ptr()) }
    }
}

impl Drop for FlagPage {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone (promise 1), and references into it borrow this page.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), PAGE_SIZE) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}

#[cfg(test)]
mod tests;
