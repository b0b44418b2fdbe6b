//! Stubs of host functions: code with the C ABI of doubles that ends in [`Runtime::host_call`](crate::Runtime::host_call).

use std::sync::atomic::Ordering;

use crate::address::CodeAddress;
use crate::arch;
use crate::error::Error;
use crate::pages::Form;
use crate::pool::{Place, Pool};

/// The number of a host stub in its pool, dense from 0.
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

    /// The number, to look something up by.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a host stub hands over: its id and its arity, packed into the one word of its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostWord(usize);

impl HostWord {
    pub(crate) fn new(id: HostId, arity: u32) -> Self {
        Self((arity as usize) << 32 | id.0 as usize)
    }

    pub(crate) fn from_raw(word: usize) -> Self {
        Self(word)
    }

    pub(crate) fn id(self) -> HostId {
        HostId(self.0 as u32)
    }

    pub(crate) fn arity(self) -> usize {
        self.0 >> 32
    }
}

/// A growing pool of host stubs. Their addresses never change; they go when the pool and all its [`HostStub`]s are
/// dropped.
#[derive(Debug)]
pub struct HostPool {
    pool: Pool,
}

impl HostPool {
    /// An empty pool: takes no memory before the first stub is asked for.
    pub const fn new() -> Self {
        // A stub that has not been allocated has no parameters: nothing of the stack is read for it.
        let form = Form { entry: arch::host_entry_address, stub: arch::host_stub, slot: |_| 0 };
        Self { pool: Pool::new(form) }
    }

    /// A new stub for a host function with `arity` parameters.
    ///
    /// # Errors
    /// If the system gives no more memory, or all ids are used.
    pub fn allocate(&self, arity: u32) -> Result<HostStub, Error> {
        let place = self.pool.allocate()?;
        let word = HostWord::new(HostId(place.id()), arity);
        place.slot().store(word.0, Ordering::Release);
        Ok(HostStub { place, arity })
    }
}

impl Default for HostPool {
    fn default() -> Self {
        Self::new()
    }
}

/// A host stub. It, as its pool, keeps the code where it is.
#[derive(Clone, Debug)]
pub struct HostStub {
    place: Place,
    arity: u32,
}

impl HostStub {
    /// The id by which [`Runtime::host_call`](crate::Runtime::host_call) knows it.
    pub fn id(&self) -> HostId {
        HostId(self.place.id())
    }

    /// The number of parameters.
    pub fn arity(&self) -> u32 {
        self.arity
    }

    /// The address to call, with the C ABI of doubles.
    pub fn address(&self) -> CodeAddress {
        CodeAddress::new(self.place.stub())
    }
}
