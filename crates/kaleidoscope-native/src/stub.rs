//! Stubs of functions: one fixed address each, behind which the code can change while callers run.
//!
//! Who may redirect what and when is the engine's state machine; here is only the word that changes.

use std::sync::atomic::Ordering;

use crate::address::CodeAddress;
use crate::arch;
use crate::error::Error;
use crate::pages::Form;
use crate::pool::{Place, Pool};

/// The number of a stub in its pool, dense from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StubId(u32);

impl StubId {
    /// The id with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number, to look something up by.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A growing pool of stubs. Their addresses never change; they go when the pool and all its [`Stub`]s are dropped.
#[derive(Debug)]
pub struct StubPool {
    pool: Pool,
}

impl StubPool {
    /// An empty pool: takes no memory before the first stub is asked for.
    pub const fn new() -> Self {
        let form = Form { entry: arch::lazy_entry_address, stub: arch::stub, slot: arch::lazy_part };
        Self { pool: Pool::new(form) }
    }

    /// A new stub, which leads into the lazy entry.
    ///
    /// # Errors
    /// If the system gives no more memory, or all ids are used.
    pub fn allocate(&self) -> Result<Stub, Error> {
        self.pool.allocate().map(|place| Stub { place })
    }

    /// The stub with this id, if it has been allocated.
    pub fn get(&self, id: StubId) -> Option<Stub> {
        self.pool.get(id.0).map(|place| Stub { place })
    }

    /// The number of stubs allocated: their ids are 0 up to this.
    pub fn n_stubs(&self) -> u32 {
        self.pool.n_allocated()
    }
}

impl Default for StubPool {
    fn default() -> Self {
        Self::new()
    }
}

/// A stub and its slot. It, as its pool, keeps both where they are.
#[derive(Clone, Debug)]
pub struct Stub {
    place: Place,
}

impl Stub {
    /// The id by which [`Runtime::materialize`](crate::Runtime::materialize) knows it.
    pub fn id(&self) -> StubId {
        StubId(self.place.id())
    }

    /// The address of the stub: the function's address for ever.
    pub fn address(&self) -> CodeAddress {
        CodeAddress::new(self.place.stub())
    }

    /// The address of the slot: a pointer that generated code loads (atomically, monotonic) and calls.
    pub fn slot_address(&self) -> usize {
        self.place.slot().as_ptr().addr()
    }

    /// The code behind the slot; none while it leads into the lazy entry.
    pub fn target(&self) -> Option<CodeAddress> {
        let target = self.place.slot().load(Ordering::Acquire);
        (target != self.lazy_part()).then(|| CodeAddress::new(target))
    }

    /// Puts `code` behind the slot: calls that begin from now on, on any thread, enter it.
    ///
    /// # Safety
    /// - `code` has the C ABI of doubles with the arity of every call made through this stub or slot, and does not
    ///   unwind.
    /// - It can be executed until the slot is redirected or reset *and* no thread is inside it, or about to enter it
    ///   with an address loaded before, any more.
    pub unsafe fn redirect(&self, code: CodeAddress) {
        // Release: whoever sees the address sees the code. Generated code needs no acquire for that, because the
        // fetch of an instruction depends on the address it jumped to.
        self.place.slot().store(code.get(), Ordering::Release);
    }

    /// Leads the slot into the lazy entry again: the next call asks for code anew.
    pub fn redirect_to_lazy_entry(&self) {
        self.place.slot().store(self.lazy_part(), Ordering::Release);
    }

    fn lazy_part(&self) -> usize {
        arch::lazy_part(self.place.stub())
    }
}
