//! One mapping of stubs: pages of code, readable and executable, then pages of slots, readable and
//! writable.
//!
//! All stubs of a mapping are written before the first is allocated. Then the code pages become
//! read-only for good. So allocating a stub changes no protection, and no page is ever writable and
//! executable at once.

use std::fs::File;
use std::io::{self, Write};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::AtomicUsize;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mmap_anonymous, mprotect, munmap};
use rustix::process::{Resource, getrlimit};

use crate::arch::{self, PAGE_SIZE, STUB_SIZE, StubAddresses};
use crate::error::Error;

/// The size of a slot in bytes.
const SLOT_SIZE: usize = size_of::<AtomicUsize>();

/// What the stubs of a pool look like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StubKind {
    /// The address of the entry that stubs jump to.
    pub(crate) entry: fn() -> usize,
    /// The code of a stub.
    pub(crate) code: fn(StubAddresses) -> [u8; STUB_SIZE],
    /// The initial value of the slot of the stub at this address.
    pub(crate) initial_slot: fn(usize) -> usize,
    /// Whether the stubs may stay data, where the system forbids to make them code.
    pub(crate) may_be_data: bool,
}

/// One mapping of stubs.
///
/// Promises:
/// 1. `base` is the start of a mapping of `n_bytes` that this value alone owns; only `drop` unmaps
///    it.
/// 2. The mapping starts with `n_stubs + 1` units of [`STUB_SIZE`] bytes: the jump to the entry,
///    then the stubs. The slots, one for each stub, start at `slots`, a multiple of the page size.
///    All slots lie inside the mapping.
/// 3. After `map` has returned, the bytes before `slots` are never written, and those from `slots`
///    on are accessed only as atomic words.
#[derive(Debug)]
pub(crate) struct StubPages {
    base: NonNull<u8>,
    n_bytes: usize,
    slots: usize,
    first_id: u32,
    n_stubs: u32,
}

// SAFETY: the mapping belongs to the process, not to a thread (promise 1), and is accessed only
// atomically (promise 3).
unsafe impl Send for StubPages {}
// SAFETY: as above: shared access is to atomic words and to bytes that no longer change.
unsafe impl Sync for StubPages {}

impl StubPages {
    /// Maps `n_pages` pages of stubs, at least one. The first stub has the id `first_id`.
    pub(crate) fn map(kind: StubKind, n_pages: usize, first_id: u32) -> Result<Self, Error> {
        let slots = n_pages * PAGE_SIZE;
        let n_stubs = slots / STUB_SIZE - 1;
        let n_bytes = slots + (n_stubs * SLOT_SIZE).next_multiple_of(PAGE_SIZE);

        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // Every page is written below: populating them at once saves a page fault for each.
        let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
        // SAFETY: no address is given, so that no other mapping is replaced.
        let base =
            unsafe { mmap_anonymous(null_mut(), n_bytes, protection, flags) }.map_err(Error::stub_memory)?;
        let base = NonNull::new(base.cast::<u8>()).expect("the system maps the null page only on request");
        let pages = Self { base, n_bytes, slots, first_id, n_stubs: n_stubs as u32 };
        pages.fill(kind);
        // SAFETY: the range is the first part of a mapping of our own, and no reference into it
        // exists.
        let protected =
            unsafe { mprotect(base.as_ptr().cast(), slots, MprotectFlags::READ | MprotectFlags::EXEC) };
        match protected {
            Ok(()) => Ok(pages),
            Err(Errno::ACCESS | Errno::PERM) if pages.map_code_of_file().is_ok() => Ok(pages),
            Err(_) if kind.may_be_data => Ok(pages),
            Err(error) => Err(Error::stub_protection(error)),
        }
    }

    /// Replaces the code pages by those of a file with the same contents. Some systems forbid to
    /// make memory executable that was writable (`PR_SET_MDWE`, systemd's
    /// `MemoryDenyWriteExecute`), and allow this.
    #[cold]
    fn map_code_of_file(&self) -> io::Result<()> {
        // The system ends a process that writes more than this.
        if getrlimit(Resource::Fsize).current.is_some_and(|limit| limit < self.slots as u64) {
            return Err(Errno::FBIG.into());
        }
        let mut file = File::from(memfd_create(c"stubs", MemfdFlags::CLOEXEC)?);
        // SAFETY: the range is the first part of the mapping, which no one else has yet.
        file.write_all(unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.slots) })?;
        let (protection, flags) = (ProtFlags::READ | ProtFlags::EXEC, MapFlags::PRIVATE | MapFlags::FIXED);
        // SAFETY: replaces pages of our own, to which no reference exists, by equal ones.
        unsafe { mmap(self.base.as_ptr().cast(), self.slots, protection, flags, &file, 0) }?;
        Ok(())
    }

    /// Writes the jump to the entry, the stubs and the slots.
    fn fill(&self, kind: StubKind) {
        // SAFETY: the mapping is fresh, readable, writable and zeroed, and `map` has not shared it
        // yet.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.n_bytes) };
        let (code, slots) = bytes.split_at_mut(self.slots);
        let (entry_jump, stubs) = code.split_at_mut(STUB_SIZE);
        entry_jump.copy_from_slice(&arch::entry_jump((kind.entry)()));
        for ((idx, stub), slot) in
            (0..).zip(stubs.chunks_exact_mut(STUB_SIZE)).zip(slots.chunks_exact_mut(SLOT_SIZE))
        {
            let addresses = StubAddresses {
                id: self.first_id + idx,
                stub: self.stub(idx),
                slot: self.slot_address(idx),
                entry_jump: self.base.addr().get(),
            };
            stub.copy_from_slice(&(kind.code)(addresses));
            slot.copy_from_slice(&(kind.initial_slot)(addresses.stub).to_ne_bytes());
        }
    }

    /// The id of the first stub.
    pub(crate) fn first_id(&self) -> u32 {
        self.first_id
    }

    /// The number of stubs.
    pub(crate) fn n_stubs(&self) -> u32 {
        self.n_stubs
    }

    /// The address of a stub.
    pub(crate) fn stub(&self, idx: u32) -> usize {
        self.base.addr().get() + (idx as usize + 1) * STUB_SIZE
    }

    fn slot_offset(&self, idx: u32) -> usize {
        self.slots + idx as usize * SLOT_SIZE
    }

    fn slot_address(&self, idx: u32) -> usize {
        self.base.addr().get() + self.slot_offset(idx)
    }

    /// The slot of a stub.
    ///
    /// # Panics
    /// If there is no such stub.
    pub(crate) fn slot(&self, idx: u32) -> &AtomicUsize {
        assert!(idx < self.n_stubs, "a slot of another mapping");
        // SAFETY: a slot that exists lies inside the mapping (promise 2).
        let slot = unsafe { self.base.add(self.slot_offset(idx)) };
        // SAFETY: the slots start at a page, so that this one is aligned; all access is atomic
        // (promise 3); the mapping lives as long as these pages are borrowed (promise 1).
        unsafe { AtomicUsize::from_ptr(slot.as_ptr().cast()) }
    }
}

impl Drop for StubPages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone (promise 1), and references into it borrow these pages.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.n_bytes) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}
