//! Host functions: closures of the host that code calls.
//!
//! Code reaches a closure by the number of its stub ([`HostId`]), on the host stack. The table
//! below maps numbers to closures. A call takes no lock: it loads a pointer that a new closure
//! replaces atomically, and the old closure is dropped when its last call has returned. Entries
//! never move, because the table grows by chunks of doubling size.

use crate::mode::Mode;
use crate::trap::{HostError, Trap, panic_text};
use crate::validity::FunctionVersion;
use arc_swap::{ArcSwapOption, Guard};
use kaleidoscope_ir::FunctionId;
use kaleidoscope_native::{Error, HostId, HostPool, HostStub, drop_caught};
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A closure over doubles. It gets as many arguments as the function has parameters.
pub type HostClosure = Box<dyn Fn(&[f64]) -> Result<f64, HostError> + Send + Sync>;

/// A host function: a closure with a name for error messages.
///
/// A panic in the destructor of the closure is ignored, apart from what the panic hook does.
pub struct HostFunction {
    name: Arc<str>,
    closure: HostClosure,
}

impl HostFunction {
    /// A host function. The name is for error messages.
    pub fn new(
        name: impl Into<Arc<str>>,
        closure: impl Fn(&[f64]) -> Result<f64, HostError> + Send + Sync + 'static,
    ) -> Self {
        Self::from_box(name, Box::new(closure))
    }

    /// A host function of a closure that is in a box already.
    pub fn from_box(name: impl Into<Arc<str>>, closure: HostClosure) -> Self {
        Self { name: name.into(), closure }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }
}

/// The closure may be dropped anywhere: where it is replaced, at the end of its last call, at the
/// end of the engine. So a panic of its destructor is contained here.
impl Drop for HostFunction {
    fn drop(&mut self) {
        drop_caught(mem::replace(&mut self.closure, Box::new(|_| Ok(0.0))));
    }
}

impl fmt::Debug for HostFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostFunction").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a stub's number means.
#[derive(Debug)]
pub(crate) enum HostEntry {
    Closure(HostFunction),
    /// A function without machine code, which the interpreter runs.
    Interpreted(FunctionVersion),
    /// The function is no host function any more. A call that was on its way ends here.
    Withdrawn(FunctionId),
    /// No code leads to the stub.
    Unused,
}

impl HostEntry {
    /// Calls the closure, and turns its panic into a trap. Returns the function's id if the closure
    /// was withdrawn.
    #[inline]
    pub(crate) fn call(&self, args: &[f64]) -> Result<Result<f64, Trap>, FunctionId> {
        let function = match self {
            Self::Closure(function) => function,
            Self::Withdrawn(id) => return Err(*id),
            Self::Interpreted(_) | Self::Unused => unreachable!("the engine runs interpreted code"),
        };
        let called = catch_unwind(AssertUnwindSafe(|| {
            (function.closure)(args).map_err(|error| failed(&function.name, error))
        }));
        Ok(called.unwrap_or_else(|panic| {
            let (name, text) = (Arc::clone(&function.name), panic_text(panic));
            Err(Trap::HostPanic { name, text, inside: Vec::new() })
        }))
    }
}

#[cold]
fn failed(name: &Arc<str>, error: HostError) -> Trap {
    Trap::Host { name: Arc::clone(name), error, inside: Vec::new() }
}

/// Entries in the first chunk.
const FIRST: usize = 8;
/// As many chunks as 2³² stubs need.
const N_CHUNKS: usize = 30;

type Chunk = Box<[ArcSwapOption<HostEntry>]>;

/// The host functions of one engine, and their stubs.
#[derive(Debug, Default)]
pub(crate) struct HostTable {
    pool: HostPool,
    chunks: [OnceLock<Chunk>; N_CHUNKS],
    /// Stubs that were freed. A pool of stubs never shrinks, so they are used again.
    idle: Mutex<Vec<HostStub>>,
}

impl HostTable {
    /// A table for an engine of this mode.
    pub(crate) fn new(mode: Mode) -> Self {
        let pool = if mode == Mode::Off { HostPool::for_interpreter() } else { HostPool::new() };
        Self { pool, ..Self::default() }
    }

    /// A stub for a function with this number of parameters. [Set](Self::set) its entry before the
    /// first call.
    pub(crate) fn allocate(&self, arity: u32) -> Result<HostStub, Error> {
        self.pool.allocate(arity)
    }

    /// A stub as [`allocate`](Self::allocate) gives it, to be freed.
    pub(crate) fn allocate_for_a_while(&self, arity: u32) -> Result<HostStub, Error> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        match idle.iter().position(|stub| stub.arity() == arity) {
            Some(idx) => Ok(idle.swap_remove(idx)),
            None => self.allocate(arity),
        }
    }

    /// Frees a stub that no code leads to.
    pub(crate) fn free(&self, stub: HostStub) {
        drop(self.set(stub.id(), Arc::new(HostEntry::Unused)));
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(stub);
    }

    /// A stub that raw calls may reach too: [`HostPool::allocate_standalone`].
    pub(crate) fn allocate_standalone(
        &self,
        arity: u32,
        call: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
    ) -> Result<HostStub, Error> {
        self.pool.allocate_standalone(arity, call)
    }

    /// Sets the entry of a stub. Returns the old one, to be dropped when no lock is held: the drop
    /// of a host's closure runs arbitrary code.
    pub(crate) fn set(&self, host: HostId, entry: Arc<HostEntry>) -> Option<Arc<HostEntry>> {
        let (chunk, at) = place(host);
        let empty = || (0..FIRST << chunk).map(|_| ArcSwapOption::empty()).collect();
        self.chunks[chunk].get_or_init(empty)[at].swap(Some(entry))
    }

    /// The entry of a stub, to be shared with another table.
    ///
    /// # Panics
    /// If none was set.
    pub(crate) fn entry(&self, host: HostId) -> Arc<HostEntry> {
        Arc::clone(self.get(host).0.as_ref().expect(SET))
    }

    /// The entry of a stub. A replacement leaves it alive as long as the guard exists.
    ///
    /// # Panics
    /// If none was set.
    #[inline]
    pub(crate) fn get(&self, host: HostId) -> EntryGuard {
        let (chunk, at) = place(host);
        EntryGuard(self.chunks[chunk].get().expect(SET)[at].load())
    }
}

const SET: &str = "a stub is reachable only after its entry was set";

/// An entry that is about to be called.
pub(crate) struct EntryGuard(Guard<Option<Arc<HostEntry>>>);

impl std::ops::Deref for EntryGuard {
    type Target = HostEntry;

    #[inline]
    fn deref(&self) -> &HostEntry {
        self.0.as_deref().expect(SET)
    }
}

/// The chunk of a number, and its index there.
#[inline]
fn place(host: HostId) -> (usize, usize) {
    let number = host.index() + FIRST;
    let chunk = (number / FIRST).ilog2() as usize;
    (chunk, number - (FIRST << chunk))
}

#[cfg(test)]
mod tests;
