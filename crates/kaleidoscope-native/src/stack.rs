//! Stacks for generated code: address space of which only what is touched costs memory, with a guard below.
//!
//! Finds out cheaply whether a stack has been used deeply: a line of memory at a certain depth holds a pattern, which
//! frames that reach so far overwrite. Relies on generated code that touches each page of a frame in order: one that
//! jumps over the guard is beyond help.

#[cfg(test)]
mod tests;

use std::ptr::{NonNull, null_mut};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};

use crate::arch::PAGE_SIZE;
use crate::error::Error;

/// The size of the guard in bytes; it is address space only.
const GUARD: usize = 16 * PAGE_SIZE;

/// How much at the top is kept after a deep use, in bytes, if the stack is at least twice as large: giving a page back
/// and touching it again costs about a quarter of a microsecond.
const KEPT: usize = 1 << 20;

/// The smallest stack in bytes.
pub(crate) const SMALLEST: usize = 16 * PAGE_SIZE;

/// What lies at the depth from which on pages are given back: as long as the largest gap in a frame of doubles.
type Mark = [u64; 8];
const MARK: Mark = [0x6b61_6c65_6964_6f73; 8];

/// A guest stack.
///
/// Promises:
/// 1. `base` is the start of a mapping of `GUARD + n_bytes` that this value alone owns; it is unmapped on drop and
///    nowhere else. All of it but the guard, which comes first, can be read and written at any time.
/// 2. It is used by one thread at a time, and by none while no activation refers to it.
#[derive(Debug)]
pub(crate) struct Stack {
    base: NonNull<u8>,
    n_bytes: usize,
}

impl Stack {
    /// A stack of `n_bytes`, which is [`rounded`].
    pub(crate) fn map(n_bytes: usize) -> Result<Self, Error> {
        debug_assert_eq!(n_bytes, rounded(n_bytes));
        let size = n_bytes.checked_add(GUARD).ok_or_else(|| Error::stack(rustix::io::Errno::NOMEM))?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::STACK;
        // SAFETY: no address is asked for, so that no other mapping is replaced.
        let base = unsafe { mmap_anonymous(null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, flags) }
            .map_err(Error::stack)?;
        let base = NonNull::new(base.cast::<u8>()).expect("the system never maps the null page unasked");
        let stack = Self { base, n_bytes };
        // SAFETY: the start of a mapping of our own, which nobody uses yet.
        unsafe { mprotect(base.as_ptr().cast(), GUARD, MprotectFlags::empty()) }.map_err(Error::stack)?;
        // One page is touched in most calls: it need not be a huge one. A kernel that has none is as good.
        // SAFETY: as above; the advice changes no contents.
        let _ = unsafe { madvise(base.as_ptr().cast(), size, Advice::LinuxNoHugepage) };
        if let Some(mark) = stack.mark() {
            // SAFETY: the mark lies in the mapping, and nobody uses the stack yet.
            unsafe { mark.write(MARK) };
        }
        Ok(stack)
    }

    /// The size in bytes.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// The lowest address that may be used.
    pub(crate) fn low(&self) -> usize {
        self.base.addr().get() + GUARD
    }

    /// The end: where an empty stack starts.
    pub(crate) fn high(&self) -> usize {
        self.low() + self.n_bytes
    }

    /// Whether a stack pointer belongs to this stack, one that has run into the guard included.
    pub(crate) fn holds(&self, sp: usize) -> bool {
        sp >= self.base.addr().get() && sp <= self.high()
    }

    /// Whether an address lies in the guard.
    pub(crate) fn guards(&self, address: usize) -> bool {
        (self.base.addr().get()..self.low()).contains(&address)
    }

    /// Where the mark is, at the start of a page: what is above is kept for good. A stack that is not much larger than
    /// that is kept as a whole.
    fn mark(&self) -> Option<NonNull<Mark>> {
        let offset = self.n_bytes.checked_sub(KEPT).filter(|&offset| offset >= KEPT)?;
        // SAFETY: less than the size of the stack, so that this lies in the mapping (promise 1).
        Some(unsafe { self.base.add(GUARD + offset) }.cast())
    }

    /// Whether frames have reached deeper than is kept, as far as can be told cheaply.
    ///
    /// # Safety
    /// Called on the thread that has the stack, while no generated code runs on it.
    #[inline]
    pub(crate) unsafe fn was_deep(&self) -> bool {
        let Some(mark) = self.mark() else { return false };
        // SAFETY: the mark lies in the mapping at the start of a page; nobody writes it meanwhile.
        let mark = unsafe { mark.read() };
        mark.iter().zip(MARK).fold(0, |so_far, (is, was)| so_far | (is ^ was)) != 0
    }

    /// Gives the pages below `top` back to the system, but not those that are kept for good.
    ///
    /// # Safety
    /// No frame below `top` is needed any more.
    #[cold]
    pub(crate) unsafe fn give_back(&self, top: usize) {
        let Some(mark) = self.mark() else { return };
        let end = mark.addr().get().min(top / PAGE_SIZE * PAGE_SIZE);
        // SAFETY: the guard lies inside the mapping (promise 1).
        let low = unsafe { self.base.add(GUARD) };
        // SAFETY: a range of the mapping (promise 1), of which the caller says that nobody needs what is there.
        let given = unsafe { madvise(low.as_ptr().cast(), end - self.low(), Advice::LinuxDontNeed) };
        debug_assert!(given.is_ok(), "pages of our own can be given back");
        if top >= mark.addr().get() + size_of::<Mark>() {
            // SAFETY: the mark lies in the mapping, at the start of a page and below `top`.
            unsafe { mark.write(MARK) };
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone, and no activation refers to it any more (promises 1 and 2).
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), GUARD + self.n_bytes) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}

/// The size that a stack gets when `n_bytes` are asked for.
pub(crate) fn rounded(n_bytes: usize) -> usize {
    let rounded = n_bytes.max(SMALLEST).checked_next_multiple_of(PAGE_SIZE);
    rounded.unwrap_or(usize::MAX / PAGE_SIZE * PAGE_SIZE)
}
