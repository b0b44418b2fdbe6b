//! Host stubs: code with the C ABI of doubles that calls
//! [`Runtime::host_call`](crate::Runtime::host_call), so that generated code can call a host function by
//! address.

use std::fmt;
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crate::address::CodeAddress;
use crate::arch;
use crate::error::Error;
use crate::stub_memory::{StubLocation, StubMemory};
use crate::stub_pages::StubKind;

/// The id of a host stub in its pool: numbers without gaps, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostId(u32);

impl HostId {
    /// The id with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a host stub passes to the host entry, in the one word of its slot: the stub's id and
/// arity, or, if the topmost bit is set, the address of a [`StandaloneFunction`], which has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostSlotWord(usize);

const IS_STANDALONE: usize = 1 << 63;

impl HostSlotWord {
    pub(crate) fn new(id: HostId, arity: u32) -> Self {
        Self((arity as usize) << 32 | id.0 as usize)
    }

    fn of_standalone(standalone: &Arc<StandaloneFunction>) -> Self {
        // The topmost bit of a user-space address is clear, and so is that of an arity.
        Self(Arc::as_ptr(standalone).expose_provenance() | IS_STANDALONE)
    }

    pub(crate) fn from_raw(word: usize) -> Self {
        Self(word)
    }

    /// The function to call without a runtime, if there is one.
    ///
    /// # Safety
    /// The word comes from the slot of a stub that is being called, whose pool exists.
    pub(crate) unsafe fn standalone<'pool>(self) -> Option<&'pool StandaloneFunction> {
        let address = (self.0 & IS_STANDALONE != 0).then_some(self.0 & !IS_STANDALONE)?;
        // SAFETY: the word was made from a reference to a value that the pool keeps as long as its
        // stubs.
        Some(unsafe { &*ptr::with_exposed_provenance::<StandaloneFunction>(address) })
    }

    /// The id and the arity of a stub that needs a runtime.
    pub(crate) fn id_and_arity(self) -> (HostId, usize) {
        (HostId(self.0 as u32), self.0 >> 32)
    }
}

/// A host function that code can call without a guarded call, and so without a runtime.
pub(crate) struct StandaloneFunction {
    pub(crate) id: HostId,
    pub(crate) arity: usize,
    pub(crate) call: Box<dyn Fn(&[f64]) -> f64 + Send + Sync>,
}

impl fmt::Debug for StandaloneFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandaloneFunction")
            .field("id", &self.id)
            .field("arity", &self.arity)
            .finish_non_exhaustive()
    }
}

/// A growing pool of host stubs. The addresses of stubs never change. Their memory is freed when
/// the pool and all its [`HostStub`]s are dropped.
#[derive(Debug)]
pub struct HostPool {
    memory: StubMemory,
    /// Kept as long as their stubs can be called.
    standalone: Mutex<Vec<Arc<StandaloneFunction>>>,
}

impl HostPool {
    /// An empty pool. Maps no memory before the first stub is allocated.
    pub const fn new() -> Self {
        // The word of a stub that is not allocated yet says arity 0, so no argument is read for it.
        let kind = StubKind { entry: arch::host_entry_address, code: arch::host_stub, initial_slot: |_| 0 };
        Self { memory: StubMemory::new(kind), standalone: Mutex::new(Vec::new()) }
    }

    /// Allocates a stub for a host function with `arity` parameters.
    ///
    /// # Errors
    /// If the system refuses memory, or all ids are used.
    pub fn allocate(&self, arity: u32) -> Result<HostStub, Error> {
        let location = self.memory.allocate()?;
        let word = HostSlotWord::new(HostId(location.id()), arity);
        location.slot().store(word.0, Ordering::Release);
        Ok(HostStub { location, arity, _standalone: None })
    }

    /// Allocates a stub for a host function that can also be called without a guarded call. There
    /// is no runtime then: `call` computes the value, on the caller's stack. If `call` panics, the
    /// value is 0.
    ///
    /// # Errors
    /// As [`Self::allocate`].
    pub fn allocate_standalone(
        &self,
        arity: u32,
        call: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
    ) -> Result<HostStub, Error> {
        let location = self.memory.allocate()?;
        let (id, call) = (HostId(location.id()), Box::new(call));
        let standalone = Arc::new(StandaloneFunction { id, arity: arity as usize, call });
        self.standalone.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&standalone));
        location.slot().store(HostSlotWord::of_standalone(&standalone).0, Ordering::Release);
        Ok(HostStub { location, arity, _standalone: Some(standalone) })
    }
}

impl Default for HostPool {
    fn default() -> Self {
        Self::new()
    }
}

/// A host stub. Keeps its code mapped, as its pool does.
#[derive(Clone, Debug)]
pub struct HostStub {
    location: StubLocation,
    arity: u32,
    /// Kept because the stub may be called after the pool has been dropped.
    _standalone: Option<Arc<StandaloneFunction>>,
}

impl HostStub {
    /// The id that [`Runtime::host_call`](crate::Runtime::host_call) receives.
    pub fn id(&self) -> HostId {
        HostId(self.location.id())
    }

    /// The number of parameters.
    pub fn arity(&self) -> u32 {
        self.arity
    }

    /// The address to call, with the C ABI of doubles.
    pub fn address(&self) -> CodeAddress {
        CodeAddress::new(self.location.stub())
    }
}
