//! Stubs of host functions: code with the C ABI of doubles that ends in [`Runtime::host_call`](crate::Runtime::host_call).

use std::fmt;
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

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

/// What a host stub hands over, packed into the one word of its slot: its id and its arity, or the address of a
/// [`Standalone`], which has both and which the topmost bit tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostWord(usize);

const IS_STANDALONE: usize = 1 << 63;

impl HostWord {
    pub(crate) fn new(id: HostId, arity: u32) -> Self {
        Self((arity as usize) << 32 | id.0 as usize)
    }

    fn of_standalone(standalone: &Arc<Standalone>) -> Self {
        // Addresses of a process have the topmost bit clear, and so has an arity.
        Self(Arc::as_ptr(standalone).expose_provenance() | IS_STANDALONE)
    }

    pub(crate) fn from_raw(word: usize) -> Self {
        Self(word)
    }

    /// What can be called without a runtime, if there is any.
    ///
    /// # Safety
    /// The word comes from the slot of a stub that is being called, whose pool exists.
    pub(crate) unsafe fn standalone<'pool>(self) -> Option<&'pool Standalone> {
        let address = (self.0 & IS_STANDALONE != 0).then_some(self.0 & !IS_STANDALONE)?;
        // SAFETY: the word was made from a reference to a `Standalone` that the pool keeps as long as its stubs.
        Some(unsafe { &*ptr::with_exposed_provenance::<Standalone>(address) })
    }

    /// The id and the arity of a stub that needs a runtime.
    pub(crate) fn id_and_arity(self) -> (HostId, usize) {
        (HostId(self.0 as u32), self.0 >> 32)
    }
}

/// A host function that raw calls may reach too: there is no runtime to ask then.
pub(crate) struct Standalone {
    pub(crate) id: HostId,
    pub(crate) arity: usize,
    pub(crate) call: StandaloneCall,
}

type StandaloneCall = Box<dyn Fn(&[f64]) -> f64 + Send + Sync>;

impl fmt::Debug for Standalone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standalone").field("id", &self.id).field("arity", &self.arity).finish_non_exhaustive()
    }
}

/// A growing pool of host stubs. Their addresses never change; they go when the pool and all its [`HostStub`]s are
/// dropped.
#[derive(Debug)]
pub struct HostPool {
    pool: Pool,
    /// Kept as long as their stubs can be called.
    standalone: Mutex<Vec<Arc<Standalone>>>,
}

impl HostPool {
    /// An empty pool: takes no memory before the first stub is asked for.
    pub const fn new() -> Self {
        // A stub that has not been allocated has no parameters: nothing of the stack is read for it.
        let form = Form { entry: arch::host_entry_address, stub: arch::host_stub, slot: |_| 0 };
        Self { pool: Pool::new(form), standalone: Mutex::new(Vec::new()) }
    }

    /// A new stub for a host function with `arity` parameters.
    ///
    /// # Errors
    /// If the system gives no more memory, or all ids are used.
    pub fn allocate(&self, arity: u32) -> Result<HostStub, Error> {
        let place = self.pool.allocate()?;
        let word = HostWord::new(HostId(place.id()), arity);
        place.slot().store(word.0, Ordering::Release);
        Ok(HostStub { place, arity, _standalone: None })
    }

    /// A new stub, as [`Self::allocate`], for a host function that code may call too which was not entered by a guarded call:
    /// there is no runtime then, and `call` gives the value, on the stack of whoever calls. A panic in it is taken
    /// for 0.
    ///
    /// # Errors
    /// As [`Self::allocate`].
    pub fn allocate_standalone(
        &self,
        arity: u32,
        call: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
    ) -> Result<HostStub, Error> {
        let place = self.pool.allocate()?;
        let (id, call) = (HostId(place.id()), Box::new(call));
        let standalone = Arc::new(Standalone { id, arity: arity as usize, call });
        self.standalone.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&standalone));
        place.slot().store(HostWord::of_standalone(&standalone).0, Ordering::Release);
        Ok(HostStub { place, arity, _standalone: Some(standalone) })
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
    /// Kept for the stub, which may be called when the pool is gone.
    _standalone: Option<Arc<Standalone>>,
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
