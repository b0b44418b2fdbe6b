//! A pool of stubs of one form: mappings that grow in size, ids that are dense from 0, addresses that never change.

use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::pages::{Form, Pages};

/// Each mapping has twice the pages of the one before, up to 2⁸ pages of stubs: the first is made in a few microseconds
/// when a program starts, the largest holds 65,535 stubs and is filled in well under a millisecond.
const LARGEST_MAPPING: u32 = 8;

/// A pool of stubs of one form. Dropping it unmaps all of them.
#[derive(Debug)]
pub(crate) struct Pool {
    form: Form,
    mappings: Mutex<Mappings>,
}

/// The mappings of a pool, in the order of their ids.
#[derive(Debug, Default)]
struct Mappings {
    mapped: Vec<Mapping>,
    n_allocated: u32,
    /// The number of stubs in all of `mapped`.
    n_mapped: u32,
}

#[derive(Debug)]
struct Mapping {
    first_id: u32,
    pages: Pages,
}

/// A stub of a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'pool> {
    pub(crate) id: u32,
    /// The address of the stub.
    pub(crate) stub: usize,
    pub(crate) slot: &'pool AtomicUsize,
}

impl Pool {
    /// An empty pool: nothing is mapped before the first stub is asked for.
    pub(crate) const fn new(form: Form) -> Self {
        let mappings = Mappings { mapped: Vec::new(), n_allocated: 0, n_mapped: 0 };
        Self { form, mappings: Mutex::new(mappings) }
    }

    /// The next stub.
    pub(crate) fn allocate(&self) -> Result<Place<'_>, Error> {
        let mut mappings = self.lock();
        if mappings.n_allocated == mappings.n_mapped {
            mappings.grow(self.form)?;
        }
        let id = mappings.n_allocated;
        mappings.n_allocated += 1;
        Ok(self.place(&mappings, id))
    }

    /// A stub that has been allocated.
    pub(crate) fn get(&self, id: u32) -> Option<Place<'_>> {
        let mappings = self.lock();
        (id < mappings.n_allocated).then(|| self.place(&mappings, id))
    }

    /// The number of stubs allocated.
    pub(crate) fn n_allocated(&self) -> u32 {
        self.lock().n_allocated
    }

    fn place<'pool>(&'pool self, mappings: &Mappings, id: u32) -> Place<'pool> {
        let after = mappings.mapped.partition_point(|mapping| mapping.first_id <= id);
        let mapping = &mappings.mapped[after - 1];
        let idx = id - mapping.first_id;
        // SAFETY: mappings are only ever added to a pool, so that the pages live as long as the pool is borrowed.
        let slot = unsafe { mapping.pages.slot(idx) };
        Place { id, stub: mapping.pages.stub(idx), slot }
    }

    fn lock(&self) -> MutexGuard<'_, Mappings> {
        // Nothing under the lock leaves the mappings half changed.
        self.mappings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mappings {
    #[cold]
    fn grow(&mut self, form: Form) -> Result<(), Error> {
        let n_pages = 1 << LARGEST_MAPPING.min(self.mapped.len() as u32);
        // One mapping of the largest size fits below the end of the ids, or none is made.
        if self.n_mapped > u32::MAX - (1 << 24) {
            return Err(Error::full());
        }
        let pages = Pages::map(form, n_pages, self.n_mapped)?;
        let first_id = self.n_mapped;
        self.n_mapped += pages.n_stubs();
        self.mapped.push(Mapping { first_id, pages });
        Ok(())
    }
}
