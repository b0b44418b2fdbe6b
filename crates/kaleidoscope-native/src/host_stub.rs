//! Host stubs: code with the C ABI of doubles that calls
//! [`Runtime::host_call`](crate::Runtime::host_call), so that generated code can call a host function by
//! address.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crate::address::CodeAddress;
use crate::arch;
use crate::error::Error;
use crate::host_slot::{HostSlotWord, StandaloneFunction};
use crate::stub_id::HostId;
use crate::stub_memory::{StubLocation, StubMemory};
use crate::stub_pages::StubKind;

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
        Self::of(false)
    }

    /// As [`StubPool::for_interpreter`](crate::StubPool::for_interpreter).
    pub const fn for_interpreter() -> Self {
        Self::of(true)
    }

    const fn of(may_be_data: bool) -> Self {
        // The word of a stub that is not allocated yet says arity 0, so no argument is read for it.
        let (entry, code) = (arch::host_entry_address, arch::host_stub);
        let kind = StubKind { entry, code, initial_slot: |_| 0, may_be_data };
        Self { memory: StubMemory::new(kind), standalone: Mutex::new(Vec::new()) }
    }

    /// Allocates a stub for a host function with `arity` parameters.
    ///
    /// # Errors
    /// If the system refuses memory, or all ids are used.
    pub fn allocate(&self, arity: u32) -> Result<HostStub, Error> {
        let location = self.memory.allocate()?;
        let word = HostSlotWord::new(HostId::new(location.id()), arity);
        location.slot().store(word.get(), Ordering::Release);
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
        let (id, call) = (HostId::new(location.id()), Box::new(call));
        let standalone = Arc::new(StandaloneFunction { id, arity: arity as usize, call });
        self.standalone.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&standalone));
        location.slot().store(HostSlotWord::of_standalone(&standalone).get(), Ordering::Release);
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
        HostId::new(self.location.id())
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
