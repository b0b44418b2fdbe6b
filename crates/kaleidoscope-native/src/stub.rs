//! Dispatch stubs: one fixed address for each function, behind which the code can change while
//! callers run.
//!
//! A stub jumps through its *slot*, a pointer. Redirecting a function is one atomic store to its
//! slot. A slot without code points to the stub's *lazy path*, which goes to the lazy entry. The
//! engine decides when to redirect which stub.

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::address::CodeAddress;
use crate::arch;
use crate::error::Error;
use crate::stub_id::StubId;
use crate::stub_memory::{StubLocation, StubMemory};
use crate::stub_pages::StubKind;

/// A growing pool of stubs. The addresses of stubs never change. Their memory is freed when the
/// pool and all its [`Stub`]s are dropped.
#[derive(Debug)]
pub struct StubPool {
    memory: StubMemory,
}

impl StubPool {
    /// An empty pool. Maps no memory before the first stub is allocated.
    pub const fn new() -> Self {
        Self::of(false)
    }

    /// An empty pool for an engine that only interprets. Where the system forbids machine code, its
    /// stubs are data: a call of one is a fault then.
    pub const fn for_interpreter() -> Self {
        Self::of(true)
    }

    const fn of(may_be_data: bool) -> Self {
        let (entry, code) = (arch::lazy_entry_address, arch::stub);
        let kind = StubKind { entry, code, initial_slot: arch::lazy_path, may_be_data };
        Self { memory: StubMemory::new(kind) }
    }

    /// Allocates a stub, whose slot leads to the lazy entry.
    ///
    /// # Errors
    /// If the system refuses memory, or all ids are used.
    pub fn allocate(&self) -> Result<Stub, Error> {
        self.memory.allocate().map(|location| Stub { location })
    }

    /// The stub with this id, if it has been allocated.
    pub fn get(&self, id: StubId) -> Option<Stub> {
        self.memory.get(id.get()).map(|location| Stub { location })
    }

    /// The number of allocated stubs. Their ids are less than this number.
    pub fn n_stubs(&self) -> u32 {
        self.memory.n_allocated()
    }
}

impl Default for StubPool {
    fn default() -> Self {
        Self::new()
    }
}

/// A dispatch stub and its slot. Keeps both mapped, as its pool does.
#[derive(Clone, Debug)]
pub struct Stub {
    location: StubLocation,
}

impl Stub {
    /// The id that [`Runtime::materialize`](crate::Runtime::materialize) receives.
    pub fn id(&self) -> StubId {
        StubId::new(self.location.id())
    }

    /// The address of the stub: the function's permanent address.
    pub fn address(&self) -> CodeAddress {
        CodeAddress::new(self.location.stub())
    }

    /// The address of the slot. Generated code loads the slot with one atomic (monotonic) load,
    /// and calls the loaded address.
    pub fn slot_address(&self) -> usize {
        self.location.slot().as_ptr().expose_provenance()
    }

    /// The code in the slot, or `None` while the slot leads to the lazy entry.
    pub fn target(&self) -> Option<CodeAddress> {
        let target = self.location.slot().load(Ordering::Acquire);
        (target != self.lazy_path()).then(|| CodeAddress::new(target))
    }

    /// Whether a slot leads to the lazy entry: it has no code.
    ///
    /// # Safety
    /// The addresses are those of one [`Stub`](Self::address) and [its slot](Self::slot_address),
    /// which is mapped.
    #[inline]
    pub unsafe fn is_lazy(stub: CodeAddress, slot: usize) -> bool {
        // SAFETY: slots are aligned and accessed atomically, and this one is mapped, as the caller
        // promises.
        let slot = unsafe { AtomicUsize::from_ptr(ptr::with_exposed_provenance_mut(slot)) };
        slot.load(Ordering::Relaxed) == arch::lazy_path(stub.get())
    }

    /// Stores `code` in the slot. Calls that begin afterwards, on any thread, enter it.
    ///
    /// # Safety
    /// - `code` has the C ABI of doubles with the arity of every call made through this stub or
    ///   slot, and does not unwind.
    /// - `code` stays executable until the slot has been redirected again *and* no thread is
    ///   inside the code, or about to enter it with an address that it loaded before.
    pub unsafe fn redirect(&self, code: CodeAddress) {
        // Release: a thread that loads the address sees the code. Generated code needs no acquire
        // for that, because fetching an instruction depends on the address of the jump.
        self.location.slot().store(code.get(), Ordering::Release);
    }

    /// Makes the slot lead to the lazy entry again. The next call requests code from the runtime.
    pub fn redirect_to_lazy_entry(&self) {
        self.location.slot().store(self.lazy_path(), Ordering::Release);
    }

    fn lazy_path(&self) -> usize {
        arch::lazy_path(self.location.stub())
    }
}
