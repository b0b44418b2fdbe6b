//! Slot words of host stubs: what a host stub tells the host entry.

use std::fmt;
use std::ptr;
use std::sync::Arc;

use crate::stub_id::HostId;

/// What a host stub passes to the host entry, in the one word of its slot: the stub's id and
/// arity, or, if the topmost bit is set, the address of a [`StandaloneFunction`], which has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostSlotWord(usize);

const IS_STANDALONE: usize = 1 << 63;

impl HostSlotWord {
    pub(crate) fn new(id: HostId, arity: u32) -> Self {
        Self((arity as usize) << 32 | id.get() as usize)
    }

    pub(crate) fn of_standalone(standalone: &Arc<StandaloneFunction>) -> Self {
        // The topmost bit of a user-space address is clear, and so is that of an arity.
        Self(Arc::as_ptr(standalone).expose_provenance() | IS_STANDALONE)
    }

    pub(crate) fn get(self) -> usize {
        self.0
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
        (HostId::new(self.0 as u32), self.0 >> 32)
    }
}

/// A host function that code can call without a guarded call, and so without a runtime.
pub(crate) struct StandaloneFunction {
    pub(crate) id: HostId,
    pub(crate) arity: usize,
    pub(crate) call: StandaloneCall,
}

type StandaloneCall = Box<dyn Fn(&[f64]) -> f64 + Send + Sync>;

impl fmt::Debug for StandaloneFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandaloneFunction")
            .field("id", &self.id)
            .field("arity", &self.arity)
            .finish_non_exhaustive()
    }
}
