//! Code memory: finished code is copied in function by function, and freed function by function.
//!
//! Code lies in *slabs*: mappings of an anonymous file that are readable and executable, and never
//! writable. Code is added by writing to the file. So no address is ever writable and executable,
//! and no protection changes while other functions in the slab run. .NET and JavaScriptCore map
//! the memory a second time, writable, for the same purpose; a write to the file needs no second
//! mapping.
//!
//! Freed code is overwritten with trapping instructions, and its range is used again. An empty
//! slab is unmapped. The engine must know when no thread runs the code any more.
//!
//! Code memory belongs to no loaded object, so an interrupt can end a call there (`signals.rs`).

mod free_ranges;
mod own_pages;
mod slab;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address::CodeAddress;
use crate::arch::{PAGE_SIZE, TRAP_BYTE, code_has_changed};
use crate::error::Error;
use crate::stub::StubPool;
use free_ranges::FreeRanges;
use slab::{CodeFile, Slab};

/// The size of a slab in bytes; only written pages cost memory. 100,000 functions of 300 bytes
/// take 30 mappings, of the 65,530 that Linux lets a process have. Larger code gets a slab of its
/// own.
const SLAB: usize = 1 << 20;

/// Memory for code. Clones share the same memory, which is freed when all clones and
/// [`CodeBlock`]s are dropped.
///
/// After a fork, both processes have the existing code, and each adds code of its own. But if the
/// parent frees code and reuses its range, the bytes change in the child too. So a child may run
/// existing code only as long as the parent does not free it.
#[derive(Clone, Default)]
pub struct CodeMemory {
    shared: Arc<Shared>,
}

/// What all clones share.
#[derive(Debug, Default)]
struct Shared {
    slabs: Mutex<Slabs>,
    /// Whether each piece of code has pages of its own, in place of slabs.
    has_own_pages: bool,
}

/// The slabs and their free ranges.
#[derive(Debug, Default)]
struct Slabs {
    /// By their first address.
    slabs: BTreeMap<usize, Slab>,
    free: FreeRanges,
    /// The file of new slabs. `None` before the first slab, and at the first allocation after a
    /// fork.
    file: Option<Arc<CodeFile>>,
    /// The slab that was kept when it became empty. It may contain code again.
    spare: Option<Range<usize>>,
}

impl CodeMemory {
    /// An empty code memory. Maps nothing before the first allocation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Code memory in which a debugger can set breakpoints: each piece of code has pages of its
    /// own, which no file backs.
    #[must_use]
    pub fn for_debugger() -> Self {
        Self { shared: Arc::new(Shared { has_own_pages: true, ..Shared::default() }) }
    }

    /// Copies code to executable memory, at a multiple of `align` bytes, which is a power of two
    /// of at most a page.
    ///
    /// The code must not depend on its address beyond that alignment.
    ///
    /// # Errors
    /// If the system refuses memory.
    ///
    /// # Panics
    /// If `align` is not a power of two, or larger than a page.
    pub fn allocate(&self, code: &[u8], align: usize) -> Result<CodeBlock, Error> {
        assert!(align.is_power_of_two() && align <= PAGE_SIZE, "{align} is not an alignment of code");
        if self.shared.has_own_pages {
            let address = own_pages::map(code)?;
            code_has_changed(address, code.len());
            return Ok(CodeBlock { memory: self.clone(), address, n_bytes: code.len() });
        }
        let n_taken = free_ranges::rounded(code.len());
        let mut slabs = self.lock();
        let address = slabs.take(n_taken, align)?;
        let location = slabs.slab_of(address).location(address);
        drop(slabs);

        let mut bytes = Vec::with_capacity(n_taken);
        bytes.extend_from_slice(code);
        bytes.resize(n_taken, TRAP_BYTE);
        if let Err(error) = location.write(&bytes) {
            self.lock().put(address, n_taken);
            return Err(error);
        }
        code_has_changed(address, n_taken);
        Ok(CodeBlock { memory: self.clone(), address, n_bytes: code.len() })
    }

    /// Whether there can be code memory and stubs here, found by making some.
    ///
    /// # Errors
    /// Why not; [`Error::forbids_code`] tells whether the system forbids them.
    pub fn check() -> Result<(), Error> {
        StubPool::new().allocate()?;
        Self::new().allocate(&[TRAP_BYTE], 1)?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Slabs> {
        // No panic under the lock leaves the slabs half changed.
        self.shared.slabs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CodeMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slabs = self.lock();
        f.debug_struct("CodeMemory").field("n_slabs", &slabs.slabs.len()).finish_non_exhaustive()
    }
}

impl Slabs {
    /// Takes a free range of `n_bytes`, a multiple of the unit. Maps a slab if there is none.
    fn take(&mut self, n_bytes: usize, align: usize) -> Result<usize, Error> {
        if self.file.as_ref().is_some_and(|file| !file.is_of_this_process()) {
            // The free ranges of inherited slabs belong to the parent.
            (self.file, self.spare) = (None, None);
            self.free = FreeRanges::default();
        }
        if let Some(address) = self.free.take(n_bytes, align) {
            return Ok(address);
        }
        self.grow(n_bytes + align)?;
        Ok(self
            .free
            .take(n_bytes, align)
            .expect("a new slab is large enough for the code that it was mapped for"))
    }

    #[cold]
    fn grow(&mut self, n_bytes: usize) -> Result<(), Error> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::new(CodeFile::new()?),
        };
        self.file = Some(Arc::clone(&file));
        let slab = Slab::map(file, n_bytes.next_multiple_of(PAGE_SIZE).max(SLAB))?;
        let range = slab.range();
        self.free.put(range.start, range.len(), range.clone());
        self.slabs.insert(range.start, slab);
        Ok(())
    }

    /// The slab that contains an address.
    fn slab_of(&self, address: usize) -> &Slab {
        let (_, slab) = self.slabs.range(..=address).next_back().expect("code lies in a slab");
        slab
    }

    /// Frees a range that [`take`](Self::take) returned. One empty slab is kept: otherwise a
    /// function that is compiled and freed repeatedly would map and unmap a slab each time.
    fn put(&mut self, address: usize, n_bytes: usize) {
        let slab = self.slab_of(address).range();
        self.free.put(address, n_bytes, slab.clone());
        if !self.free.is_all_of(&slab) {
            return;
        }
        let has_other = self.spare.as_ref().is_some_and(|spare| *spare != slab && self.free.is_all_of(spare));
        if has_other || slab.len() > SLAB {
            self.free.remove(&slab);
            self.slabs.remove(&slab.start);
        } else {
            self.spare = Some(slab);
        }
    }
}

/// A block of executable code. Dropping the block frees its memory for other code.
///
/// A caller of the code must ensure that the block is not dropped meanwhile.
pub struct CodeBlock {
    memory: CodeMemory,
    address: usize,
    n_bytes: usize,
}

impl CodeBlock {
    /// The address of the code.
    pub fn address(&self) -> CodeAddress {
        CodeAddress::new(self.address)
    }

    /// The size of the code in bytes.
    pub fn n_bytes(&self) -> usize {
        self.n_bytes
    }
}

impl Drop for CodeBlock {
    fn drop(&mut self) {
        if self.memory.shared.has_own_pages {
            // SAFETY: the block's pages, which callers of the code promise not to use any more.
            return unsafe { own_pages::unmap(self.address, self.n_bytes) };
        }
        let n_taken = free_ranges::rounded(self.n_bytes);
        let location = self.memory.lock().slab_of(self.address).location(self.address);
        if location.file().is_of_this_process() {
            // Overwritten before the range can be allocated again. A range that cannot be
            // overwritten is not used again.
            if location.fill_with_traps(n_taken).is_ok() {
                self.memory.lock().put(self.address, n_taken);
            }
        }
    }
}

impl fmt::Debug for CodeBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeBlock").field("address", &self.address()).field("n_bytes", &self.n_bytes).finish()
    }
}
