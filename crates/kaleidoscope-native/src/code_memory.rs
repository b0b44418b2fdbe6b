//! Memory for finished code: function by function copied in, and function by function given back.
//!
//! Code lies in slabs, mappings of a file without a name that can be read and executed and are never writable: new
//! code goes in by writing to the file. So there is no moment and no address at which code could be changed by a stray
//! store, and nothing stands still while code is added to a slab whose other functions are running. .NET and
//! JavaScriptCore map the memory a second time to the same end; a write to the file needs neither that mapping nor its
//! address.
//!
//! Room that was given back is filled with trapping instructions and used again, a slab that holds nothing goes back to the system.
//! What the code does, who runs it and when nobody does any more is for others to know. It belongs to no loaded
//! object, which is where requests to stop can land.

mod room;
mod slab;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address::CodeAddress;
use crate::arch::{PAGE_SIZE, TRAP_BYTE};
use crate::error::Error;
use room::Room;
use slab::{CodeFile, Slab};

/// The size of a slab in bytes, of which only what is written costs memory: 100,000 functions of 300 bytes take 30
/// mappings, of the 65,530 that Linux lets a process have. Larger code gets a slab of its own.
const SLAB: usize = 1 << 20;

/// Memory for code. Clones are handles of the same memory; it goes when they and all its [`CodeBlock`]s are dropped.
///
/// After a fork, what is there stays where it is in both processes, and what either adds is its own. But room that the
/// parent gives back and uses again changes in the child too: a child that goes on running generated code is safe as
/// long as the parent frees none of it.
#[derive(Clone, Default)]
pub struct CodeMemory {
    slabs: Arc<Mutex<Slabs>>,
}

/// The slabs and what is free in them.
#[derive(Debug, Default)]
struct Slabs {
    /// By their first address.
    slabs: BTreeMap<usize, Slab>,
    room: Room,
    /// The file that new slabs are parts of; none before the first, and none of another process.
    file: Option<Arc<CodeFile>>,
    /// The slab that was kept when it held nothing any more. It may hold something again.
    spare: Option<Range<usize>>,
}

impl CodeMemory {
    /// Empty: nothing is asked of the system before the first allocation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies code to where it can be executed, at a multiple of `align` bytes, a power of two up to the size of a
    /// page.
    ///
    /// The code must not depend on where it lies, or only as far as `align` goes.
    ///
    /// # Errors
    /// If the system gives no more memory.
    ///
    /// # Panics
    /// If `align` is no power of two, or larger than a page.
    pub fn allocate(&self, code: &[u8], align: usize) -> Result<CodeBlock, Error> {
        assert!(align.is_power_of_two() && align <= PAGE_SIZE, "{align} is no alignment of code");
        let n_taken = room::rounded(code.len());
        let mut slabs = self.lock();
        let address = slabs.take(n_taken, align)?;
        let place = slabs.slab_of(address).place(address);
        drop(slabs);

        let mut bytes = Vec::with_capacity(n_taken);
        bytes.extend_from_slice(code);
        bytes.resize(n_taken, TRAP_BYTE);
        if let Err(error) = place.write(&bytes) {
            self.lock().put(address, n_taken);
            return Err(error);
        }
        Ok(CodeBlock { memory: self.clone(), address, n_bytes: code.len() })
    }

    fn lock(&self) -> MutexGuard<'_, Slabs> {
        // Nothing under the lock leaves the slabs half changed.
        self.slabs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CodeMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slabs = self.lock();
        f.debug_struct("CodeMemory").field("n_slabs", &slabs.slabs.len()).finish_non_exhaustive()
    }
}

impl Slabs {
    /// Finds room for `n_bytes`, a multiple of the unit.
    fn take(&mut self, n_bytes: usize, align: usize) -> Result<usize, Error> {
        if self.file.as_ref().is_some_and(|file| !file.is_of_this_process()) {
            // What is free there is the parent's.
            (self.file, self.spare) = (None, None);
            self.room = Room::default();
        }
        if let Some(address) = self.room.take(n_bytes, align) {
            return Ok(address);
        }
        self.grow(n_bytes + align)?;
        Ok(self.room.take(n_bytes, align).expect("a slab has room for what it is made for"))
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
        self.room.put(range.start, range.len(), range.clone());
        self.slabs.insert(range.start, slab);
        Ok(())
    }

    /// The slab in which code lies.
    fn slab_of(&self, address: usize) -> &Slab {
        let (_, slab) = self.slabs.range(..=address).next_back().expect("code lies in a slab");
        slab
    }

    /// Takes back what [`take`](Self::take) gave. One slab that holds nothing is kept, so that a function which comes
    /// and goes does not map and unmap one each time.
    fn put(&mut self, address: usize, n_bytes: usize) {
        let slab = self.slab_of(address).range();
        self.room.put(address, n_bytes, slab.clone());
        if !self.room.is_all_of(&slab) {
            return;
        }
        let has_other = self.spare.as_ref().is_some_and(|spare| *spare != slab && self.room.is_all_of(spare));
        if has_other || slab.len() > SLAB {
            self.room.remove(&slab);
            self.slabs.remove(&slab.start);
        } else {
            self.spare = Some(slab);
        }
    }
}

/// Code that can be executed, until this is dropped: then its room is used again.
///
/// Whoever jumps there promises that it is not dropped meanwhile.
pub struct CodeBlock {
    memory: CodeMemory,
    address: usize,
    n_bytes: usize,
}

impl CodeBlock {
    /// Where the code starts.
    pub fn address(&self) -> CodeAddress {
        CodeAddress::new(self.address)
    }

    /// The length of the code in bytes.
    pub fn n_bytes(&self) -> usize {
        self.n_bytes
    }
}

impl Drop for CodeBlock {
    fn drop(&mut self) {
        let n_taken = room::rounded(self.n_bytes);
        let place = self.memory.lock().slab_of(self.address).place(self.address);
        if place.file().is_of_this_process() {
            // Before anybody else can be given the room.
            place.fill(n_taken, TRAP_BYTE);
            self.memory.lock().put(self.address, n_taken);
        }
    }
}

impl fmt::Debug for CodeBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeBlock").field("address", &self.address()).field("n_bytes", &self.n_bytes).finish()
    }
}
