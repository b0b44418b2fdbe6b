//! One mapping of a pool: pages of stubs, readable and executable, and after them pages of slots, readable and
//! writable.
//!
//! All stubs are written before the first is handed out, then the pages lose the right to be written for ever: making a
//! stub later touches no protection, and no page is ever writable and executable at once.

use std::ptr::{NonNull, null_mut};
use std::sync::atomic::AtomicUsize;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::arch::{self, PAGE_SIZE, STUB_SIZE, StubPlace};
use crate::error::Error;

/// The size of a slot in bytes.
const SLOT_SIZE: usize = size_of::<AtomicUsize>();

/// What the stubs of a pool look like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// Where the header of each mapping jumps to.
    pub(crate) entry: fn() -> usize,
    /// The bytes of one stub.
    pub(crate) stub: fn(StubPlace) -> [u8; STUB_SIZE],
    /// What the slot of the stub at this address holds before anybody writes it.
    pub(crate) slot: fn(usize) -> usize,
}

/// One mapping.
///
/// Promises:
/// 1. `base` is the start of a mapping of `n_bytes` that this value alone owns; it is unmapped on drop and nowhere else.
/// 2. The mapping starts with `n_stubs + 1` units of [`STUB_SIZE`] bytes: the header, then the stubs. The slots, one for
///    each stub, start at `slots`, a multiple of the page size; all of them lie inside the mapping.
/// 3. After `map` has returned, the bytes before `slots` are never written, and those from `slots` on are only accessed
///    as atomic words.
#[derive(Debug)]
pub(crate) struct Pages {
    base: NonNull<u8>,
    n_bytes: usize,
    slots: usize,
    first_id: u32,
    n_stubs: u32,
}

// SAFETY: the mapping belongs to the process, not to a thread (promise 1), and is accessed only atomically (promise 3).
unsafe impl Send for Pages {}
// SAFETY: as above: shared access is to atomic words and to bytes that no longer change.
unsafe impl Sync for Pages {}

impl Pages {
    /// Maps `n_pages` pages of stubs, at least one, the first of which gets id `first_id`.
    pub(crate) fn map(form: Form, n_pages: usize, first_id: u32) -> Result<Self, Error> {
        let slots = n_pages * PAGE_SIZE;
        let n_stubs = slots / STUB_SIZE - 1;
        let n_bytes = slots + (n_stubs * SLOT_SIZE).next_multiple_of(PAGE_SIZE);

        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // Every page is about to be written: populating them at once saves a fault for each.
        let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
        // SAFETY: no address is asked for, so that no other mapping is replaced.
        let base = unsafe { mmap_anonymous(null_mut(), n_bytes, protection, flags) }.map_err(Error::map)?;
        let base = NonNull::new(base.cast::<u8>()).expect("the system never maps the null page unasked");
        let pages = Self { base, n_bytes, slots, first_id, n_stubs: n_stubs as u32 };
        pages.fill(form);
        // SAFETY: the range is the first part of a mapping of our own, and nobody holds a reference into it.
        unsafe { mprotect(base.as_ptr().cast(), slots, MprotectFlags::READ | MprotectFlags::EXEC) }
            .map_err(Error::protect)?;
        Ok(pages)
    }

    /// Writes header, stubs and slots.
    fn fill(&self, form: Form) {
        // SAFETY: the mapping is fresh, readable, writable and zeroed, and `map` has given it to nobody else yet.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.n_bytes) };
        let (code, slots) = bytes.split_at_mut(self.slots);
        let (header, stubs) = code.split_at_mut(STUB_SIZE);
        header.copy_from_slice(&arch::header((form.entry)()));
        for ((idx, stub), slot) in
            (0..).zip(stubs.chunks_exact_mut(STUB_SIZE)).zip(slots.chunks_exact_mut(SLOT_SIZE))
        {
            let place = StubPlace {
                id: self.first_id + idx,
                stub: self.stub(idx),
                slot: self.slot_address(idx),
                header: self.base.addr().get(),
            };
            stub.copy_from_slice(&(form.stub)(place));
            slot.copy_from_slice(&(form.slot)(place.stub).to_ne_bytes());
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

    /// A slot.
    ///
    /// # Panics
    /// If there is no such slot.
    pub(crate) fn slot(&self, idx: u32) -> &AtomicUsize {
        assert!(idx < self.n_stubs, "a slot of another mapping");
        // SAFETY: a slot that exists lies inside the mapping (promise 2).
        let slot = unsafe { self.base.add(self.slot_offset(idx)) };
        // SAFETY: the slots start at a page, so that this one is aligned; all access is atomic (promise 3); the mapping
        // lives as long as these pages are borrowed (promise 1).
        unsafe { AtomicUsize::from_ptr(slot.as_ptr().cast()) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone (promise 1), and references into it borrow these pages.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.n_bytes) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}
