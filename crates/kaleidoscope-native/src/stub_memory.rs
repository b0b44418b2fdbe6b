//! Memory of a pool of stubs: mappings that grow in size, ids without gaps, addresses that never
//! change.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::stub_pages::{StubKind, StubPages};

/// The largest mapping has 2⁸ pages of stubs, and so at most 1.5 MiB. The first mapping has one
/// page, which takes some 12 µs (`benches/stub_costs.rs`); each later one has twice the pages of
/// the one before.
const LARGEST_MAPPING: u32 = 8;

/// The memory of all stubs of one pool. A mapping is freed when this and all stubs in the mapping
/// have been dropped.
#[derive(Debug)]
pub(crate) struct StubMemory {
    kind: StubKind,
    mappings: Mutex<Mappings>,
}

#[derive(Debug)]
struct Mappings {
    /// In the order of their ids.
    mapped: Vec<Arc<StubPages>>,
    n_allocated: u32,
    /// The number of stubs in all of `mapped`.
    n_mapped: u32,
}

/// Where a stub lies. Keeps the stub mapped.
#[derive(Clone, Debug)]
pub(crate) struct StubLocation {
    pages: Arc<StubPages>,
    idx: u32,
}

impl StubMemory {
    /// Maps nothing before the first stub is allocated.
    pub(crate) const fn new(kind: StubKind) -> Self {
        let mappings = Mappings { mapped: Vec::new(), n_allocated: 0, n_mapped: 0 };
        Self { kind, mappings: Mutex::new(mappings) }
    }

    /// Allocates the next stub.
    pub(crate) fn allocate(&self) -> Result<StubLocation, Error> {
        let mut mappings = self.lock();
        if mappings.n_allocated == mappings.n_mapped {
            mappings.grow(self.kind)?;
        }
        let id = mappings.n_allocated;
        mappings.n_allocated += 1;
        Ok(mappings.location(id))
    }

    /// The stub with this id, if it has been allocated.
    pub(crate) fn get(&self, id: u32) -> Option<StubLocation> {
        let mappings = self.lock();
        (id < mappings.n_allocated).then(|| mappings.location(id))
    }

    /// The number of allocated stubs.
    pub(crate) fn n_allocated(&self) -> u32 {
        self.lock().n_allocated
    }

    fn lock(&self) -> MutexGuard<'_, Mappings> {
        // No panic under the lock leaves the mappings half changed.
        self.mappings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mappings {
    fn location(&self, id: u32) -> StubLocation {
        let after = self.mapped.partition_point(|pages| pages.first_id() <= id);
        let pages = Arc::clone(&self.mapped[after - 1]);
        let idx = id - pages.first_id();
        StubLocation { pages, idx }
    }

    #[cold]
    fn grow(&mut self, kind: StubKind) -> Result<(), Error> {
        // The largest mapping, of fewer than 2¹⁶ stubs, must still fit below the end of the ids.
        if self.n_mapped > u32::MAX - (1 << 16) {
            return Err(Error::stub_ids());
        }
        let n_pages = 1 << LARGEST_MAPPING.min(self.mapped.len() as u32);
        let pages = StubPages::map(kind, n_pages, self.n_mapped)?;
        self.n_mapped += pages.n_stubs();
        self.mapped.push(Arc::new(pages));
        Ok(())
    }
}

impl StubLocation {
    /// The id of the stub.
    pub(crate) fn id(&self) -> u32 {
        self.pages.first_id() + self.idx
    }

    /// The address of the stub.
    pub(crate) fn stub(&self) -> usize {
        self.pages.stub(self.idx)
    }

    /// The stub's slot.
    pub(crate) fn slot(&self) -> &AtomicUsize {
        self.pages.slot(self.idx)
    }
}
