//! Guest stacks: the stacks that generated code runs on. Address space of which only touched pages
//! cost memory, above a guard.
//!
//! Generated code must touch each page of a frame in order. A frame that jumps over the guard is
//! not caught.
//!
//! A stack that was used deeply releases its pages. To detect deep use cheaply, a pattern lies at a
//! certain depth; frames that reach so far overwrite it.

#[cfg(test)]
mod tests;

use std::ptr::{NonNull, null_mut};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};

use crate::arch::{KnownStack, PAGE_SIZE};
use crate::error::Error;

/// The size of the guard in bytes; it is address space only.
const GUARD_BYTES: usize = 16 * PAGE_SIZE;

/// How many bytes at the top of a stack are never released, if the stack is at least twice as
/// large. Releasing a page and touching it again costs about a quarter of a microsecond.
const KEPT_BYTES: usize = 1 << 20;

/// The smallest stack in bytes.
pub(crate) const MIN_BYTES: usize = 16 * PAGE_SIZE;

/// The pattern at the depth below which pages are released. It is as long as the largest gap in a
/// frame of doubles.
type DepthMark = [u64; 8];
const DEPTH_MARK: DepthMark = [0x6b61_6c65_6964_6f73; 8];

/// A guest stack.
///
/// Promises:
/// 1. `base` is the start of a mapping of `GUARD_BYTES + n_bytes` that this value alone owns; only
///    `drop` unmaps it. The guard comes first; the rest can be read and written at any time.
/// 2. One thread at a time uses the stack, and none while no activation refers to it.
#[derive(Debug)]
pub(crate) struct GuestStack {
    base: NonNull<u8>,
    n_bytes: usize,
    /// The size that it was mapped for; the system may have refused that.
    requested_bytes: usize,
    _known: KnownStack,
}

impl GuestStack {
    /// Maps a stack of `n_bytes`, or where the system refuses that, a smaller one of at least
    /// `min_bytes`.
    pub(crate) fn map_at_least(min_bytes: usize, n_bytes: usize) -> Result<Self, Error> {
        let mut size = n_bytes;
        loop {
            match Self::map(size) {
                Ok(mut stack) => {
                    stack.requested_bytes = n_bytes;
                    return Ok(stack);
                }
                Err(_) if size / 2 >= rounded(min_bytes) => size = rounded(size / 2),
                Err(error) => return Err(error),
            }
        }
    }

    /// Maps a stack of `n_bytes`, which is [`rounded`].
    pub(crate) fn map(n_bytes: usize) -> Result<Self, Error> {
        debug_assert_eq!(n_bytes, rounded(n_bytes));
        let size = n_bytes
            .checked_add(GUARD_BYTES)
            .ok_or_else(|| Error::guest_stack(n_bytes, rustix::io::Errno::NOMEM))?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::STACK;
        // SAFETY: no address is given, so that no other mapping is replaced.
        let base = unsafe { mmap_anonymous(null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, flags) }
            .map_err(|error| Error::guest_stack(n_bytes, error))?;
        let base = NonNull::new(base.cast::<u8>()).expect("the system maps the null page only on request");
        let start = base.addr().get();
        let known = KnownStack::new(start, start + size);
        let stack = Self { base, n_bytes, requested_bytes: n_bytes, _known: known };
        // SAFETY: the start of a mapping of our own, which is not in use yet.
        unsafe { mprotect(base.as_ptr().cast(), GUARD_BYTES, MprotectFlags::empty()) }
            .map_err(|error| Error::guest_stack(n_bytes, error))?;
        // Most calls touch one page, so a huge page would be waste. A kernel without huge pages
        // refuses. SAFETY: as above; the advice changes no contents.
        let _ = unsafe { madvise(base.as_ptr().cast(), size, Advice::LinuxNoHugepage) };
        if let Some(mark) = stack.mark() {
            // SAFETY: the mark lies in the mapping, and the stack is not in use yet.
            unsafe { mark.write(DEPTH_MARK) };
        }
        Ok(stack)
    }

    /// Whether this is the stack for requests of this size, which is [`rounded`].
    #[inline]
    pub(crate) fn is_for(&self, requested_bytes: usize) -> bool {
        self.requested_bytes == requested_bytes
    }

    /// The size that it was mapped for.
    pub(crate) fn requested_bytes(&self) -> usize {
        self.requested_bytes
    }

    /// The lowest address that may be used.
    pub(crate) fn low(&self) -> usize {
        self.base.addr().get() + GUARD_BYTES
    }

    /// The end: where an empty stack starts.
    pub(crate) fn high(&self) -> usize {
        self.low() + self.n_bytes
    }

    /// Whether a stack pointer belongs to this stack, even if it has run into the guard.
    pub(crate) fn contains(&self, sp: usize) -> bool {
        sp >= self.base.addr().get() && sp <= self.high()
    }

    /// Whether an address lies in the guard.
    pub(crate) fn guard_contains(&self, address: usize) -> bool {
        (self.base.addr().get()..self.low()).contains(&address)
    }

    /// Where the depth mark is, at the start of a page: pages above it are never released. A stack
    /// that is not much larger than those pages has no mark, and releases nothing.
    fn mark(&self) -> Option<NonNull<DepthMark>> {
        let offset = self.n_bytes.checked_sub(KEPT_BYTES).filter(|&offset| offset >= KEPT_BYTES)?;
        // SAFETY: less than the size of the stack, so that this lies in the mapping (promise 1).
        Some(unsafe { self.base.add(GUARD_BYTES + offset) }.cast())
    }

    /// Whether frames have overwritten the depth mark.
    ///
    /// # Safety
    /// Called on the thread that uses the stack, while no generated code runs on it.
    #[inline]
    pub(crate) unsafe fn was_used_deeply(&self) -> bool {
        let Some(mark) = self.mark() else { return false };
        // SAFETY: the mark lies in the mapping at the start of a page; no frame is writing it.
        let mark = unsafe { mark.read() };
        mark.iter().zip(DEPTH_MARK).fold(0, |so_far, (is, was)| so_far | (is ^ was)) != 0
    }

    /// Releases the pages below `top` to the system, except those that are never released.
    ///
    /// # Safety
    /// No frame below `top` is needed any more.
    #[cold]
    pub(crate) unsafe fn release_pages(&self, top: usize) {
        let Some(mark) = self.mark() else { return };
        let end = mark.addr().get().min(top / PAGE_SIZE * PAGE_SIZE);
        // SAFETY: the guard lies inside the mapping (promise 1).
        let low = unsafe { self.base.add(GUARD_BYTES) };
        // SAFETY: a range of the mapping (promise 1); the caller says that its contents are not
        // needed.
        let released = unsafe { madvise(low.as_ptr().cast(), end - self.low(), Advice::LinuxDontNeed) };
        debug_assert!(released.is_ok(), "pages of our own can be released");
        if top >= mark.addr().get() + size_of::<DepthMark>() {
            // SAFETY: the mark lies in the mapping, at the start of a page and below `top`.
            unsafe { mark.write(DEPTH_MARK) };
        }
    }
}

impl Drop for GuestStack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone, and no activation refers to it any more (promises 1
        // and 2).
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), GUARD_BYTES + self.n_bytes) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}

/// The size of the stack for a requested size.
pub(crate) fn rounded(n_bytes: usize) -> usize {
    let rounded = n_bytes.max(MIN_BYTES).checked_next_multiple_of(PAGE_SIZE);
    rounded.unwrap_or(usize::MAX / PAGE_SIZE * PAGE_SIZE)
}
