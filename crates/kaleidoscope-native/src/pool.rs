//! A pool of stubs of one form: mappings that grow in size, ids that are dense from 0, addresses that never change.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::pages::{Form, Pages};

/// Each mapping has twice the pages of the one before, up to 2⁸ pages of stubs: a program starts with the least that can
/// be mapped (some 12 µs, `benches/stub_costs.rs`), and no mapping is larger than 1.5 MiB.
const LARGEST_MAPPING: u32 = 8;

/// A pool of stubs of one form. A mapping goes when the pool and all the stubs in it have been dropped.
#[derive(Debug)]
pub(crate) struct Pool {
    form: Form,
    mappings: Mutex<Mappings>,
}

#[derive(Debug)]
struct Mappings {
    /// In the order of their ids.
    mapped: Vec<Arc<Pages>>,
    n_allocated: u32,
    /// The number of stubs in all of `mapped`.
    n_mapped: u32,
}

/// A stub of a pool, which keeps it mapped.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pages: Arc<Pages>,
    idx: u32,
}

impl Pool {
    /// An empty pool: nothing is mapped before the first stub is asked for.
    pub(crate) const fn new(form: Form) -> Self {
        let mappings = Mappings { mapped: Vec::new(), n_allocated: 0, n_mapped: 0 };
        Self { form, mappings: Mutex::new(mappings) }
    }

    /// The next stub.
    pub(crate) fn allocate(&self) -> Result<Place, Error> {
        let mut mappings = self.lock();
        if mappings.n_allocated == mappings.n_mapped {
            mappings.grow(self.form)?;
        }
        let id = mappings.n_allocated;
        mappings.n_allocated += 1;
        Ok(mappings.place(id))
    }

    /// A stub that has been allocated.
    pub(crate) fn get(&self, id: u32) -> Option<Place> {
        let mappings = self.lock();
        (id < mappings.n_allocated).then(|| mappings.place(id))
    }

    /// The number of stubs allocated.
    pub(crate) fn n_allocated(&self) -> u32 {
        self.lock().n_allocated
    }

    fn lock(&self) -> MutexGuard<'_, Mappings> {
        // Nothing under the lock leaves the mappings half changed.
        self.mappings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mappings {
    fn place(&self, id: u32) -> Place {
        let after = self.mapped.partition_point(|pages| pages.first_id() <= id);
        let pages = Arc::clone(&self.mapped[after - 1]);
        let idx = id - pages.first_id();
        Place { pages, idx }
    }

    #[cold]
    fn grow(&mut self, form: Form) -> Result<(), Error> {
        // The largest mapping, of fewer than 2¹⁶ stubs, must still fit below the end of the ids.
        if self.n_mapped > u32::MAX - (1 << 16) {
            return Err(Error::full());
        }
        let n_pages = 1 << LARGEST_MAPPING.min(self.mapped.len() as u32);
        let pages = Pages::map(form, n_pages, self.n_mapped)?;
        self.n_mapped += pages.n_stubs();
        self.mapped.push(Arc::new(pages));
        Ok(())
    }
}

impl Place {
    /// The id of the stub.
    pub(crate) fn id(&self) -> u32 {
        self.pages.first_id() + self.idx
    }

    /// The address of the stub.
    pub(crate) fn stub(&self) -> usize {
        self.pages.stub(self.idx)
    }

    /// Its slot.
    pub(crate) fn slot(&self) -> &AtomicUsize {
        self.pages.slot(self.idx)
    }
}
