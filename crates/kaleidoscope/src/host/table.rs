//! The functions of the host by the number of their stub. Looking one up takes no lock, and none is held while it runs;
//! the closure that another one has replaced goes when the last call of it has returned.
//!
//! The table grows by chunks, each twice as long as the one before, that never move.

use super::provided::Writer;
use super::{HostCall, HostError};
use crate::Output;
use crate::failure::{Failure, panic_text};
use arc_swap::{ArcSwapOption, Guard};
use kaleidoscope_native::{Error, HostId, HostPool, HostStub};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

/// A function of the host.
pub(crate) struct HostEntry {
    name: Arc<str>,
    call: Call,
}

enum Call {
    /// It writes to the program's output.
    Writer(Writer),
    /// The host has registered it.
    Registered(HostCall),
    /// It was registered, and then another one by its name that takes so many arguments, or it was removed. Calls that
    /// were on their way come here.
    Withdrawn { takes: Option<u32> },
}

impl HostEntry {
    pub(super) fn registered(name: Arc<str>, call: HostCall) -> Arc<Self> {
        Arc::new(Self { name, call: Call::Registered(call) })
    }

    pub(crate) fn withdrawn(name: Arc<str>, takes: Option<u32>) -> Arc<Self> {
        Arc::new(Self { name, call: Call::Withdrawn { takes } })
    }

    pub(crate) fn writer(name: Arc<str>, write: Writer) -> Arc<Self> {
        Arc::new(Self { name, call: Call::Writer(write) })
    }

    /// Calls it. A panic in it becomes a failure.
    #[inline]
    pub(crate) fn call(&self, output: &dyn Output, args: &[f64]) -> Result<f64, Failure> {
        let called = catch_unwind(AssertUnwindSafe(|| match &self.call {
            Call::Writer(write) => write(output, args).map_err(Failure::Output),
            Call::Registered(call) => call(args).map_err(|error| self.failed(error)),
            Call::Withdrawn { takes: Some(takes) } => {
                Err(Failure::Arity { name: Arc::clone(&self.name), given: args.len() as u32, takes: *takes })
            }
            Call::Withdrawn { takes: None } => Err(Failure::Undefined { name: Arc::clone(&self.name) }),
        }));
        called.unwrap_or_else(|panic| {
            Err(Failure::HostPanic { name: Arc::clone(&self.name), text: panic_text(&*panic) })
        })
    }

    #[cold]
    fn failed(&self, error: HostError) -> Failure {
        Failure::Host { name: Arc::clone(&self.name), error: error.into() }
    }
}

impl fmt::Debug for HostEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostEntry").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The entries of the first chunk.
const FIRST: usize = 8;
/// As many chunks as 2³² stubs need.
const N_CHUNKS: usize = 30;

type Chunk = Box<[ArcSwapOption<HostEntry>]>;

/// All functions of the host of one engine, and their stubs.
#[derive(Debug, Default)]
pub(crate) struct HostTable {
    pool: HostPool,
    chunks: [OnceLock<Chunk>; N_CHUNKS],
}

impl HostTable {
    /// A stub for a function with so many parameters. Before it is called, the function is to be [set](Self::set).
    pub(crate) fn allocate(&self, arity: u32) -> Result<HostStub, Error> {
        self.pool.allocate(arity)
    }

    /// A stub that raw calls may reach too: [`HostPool::allocate_standalone`].
    pub(crate) fn allocate_standalone(
        &self,
        arity: u32,
        call: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
    ) -> Result<HostStub, Error> {
        self.pool.allocate_standalone(arity, call)
    }

    /// Puts the function behind its stub. Returns what was there, to be dropped when no lock is held: what a closure of
    /// the host's owns may do anything then.
    pub(crate) fn set(&self, host: HostId, entry: Arc<HostEntry>) -> Option<Arc<HostEntry>> {
        let (chunk, at) = place(host);
        let empty = || (0..FIRST << chunk).map(|_| ArcSwapOption::empty()).collect();
        self.chunks[chunk].get_or_init(empty)[at].swap(Some(entry))
    }

    /// The function behind a stub, to be put behind another one.
    ///
    /// # Panics
    /// If none was put there.
    pub(crate) fn entry(&self, host: HostId) -> Arc<HostEntry> {
        Arc::clone(self.get(host).0.as_ref().expect(SET))
    }

    /// The function behind a stub; what replaces it meanwhile leaves it whole as long as this is held.
    ///
    /// # Panics
    /// If none was put there.
    #[inline]
    pub(crate) fn get(&self, host: HostId) -> Called {
        let (chunk, at) = place(host);
        Called(self.chunks[chunk].get().expect(SET)[at].load())
    }
}

const SET: &str = "a function's stub is known once the function is set";

/// A function of the host that is about to be called.
pub(crate) struct Called(Guard<Option<Arc<HostEntry>>>);

impl std::ops::Deref for Called {
    type Target = HostEntry;

    #[inline]
    fn deref(&self) -> &HostEntry {
        self.0.as_deref().expect(SET)
    }
}

/// Which chunk, and where in it.
#[inline]
fn place(host: HostId) -> (usize, usize) {
    let number = host.index() + FIRST;
    let chunk = (number / FIRST).ilog2() as usize;
    (chunk, number - (FIRST << chunk))
}

#[cfg(test)]
mod tests;
