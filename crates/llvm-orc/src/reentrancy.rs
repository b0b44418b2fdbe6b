//! Re-entrant look-ups: refuses look-ups that would wait for themselves.
//!
//! LLVM calls materialization units and generators on the thread of the look-up that needs them.
//! This module records, per thread, which ones are running. A look-up that would wait for one of
//! them returns an error instead of blocking the thread forever. So does a look-up that closes a
//! circle of threads, each of which waits for a unit or generator of the next.
//!
//! Whoever waits registers with what it holds up, and looks for a circle under the same lock. So
//! the last look-up of a circle finds it. A unit may pass its responsibility to another thread and
//! then look up something else; the circle is found all the same, because nothing tells where the
//! responsibility is.

use std::cell::RefCell;
use std::collections::HashSet;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use llvm_sys::orc2::LLVMOrcOpaqueJITDylib;

use crate::error::{Error, ErrorKind};

/// What is running, innermost last. Without a destructor, so that look-ups work while the thread
/// ends. It owns memory only while something runs.
struct Running<T>(ManuallyDrop<RefCell<Vec<T>>>);

impl<T> Running<T> {
    const fn new() -> Self {
        Self(ManuallyDrop::new(RefCell::new(Vec::new())))
    }

    fn push(&self, value: T) {
        self.0.borrow_mut().push(value);
    }

    fn pop(&self) {
        let mut values = self.0.borrow_mut();
        values.pop();
        if values.is_empty() {
            *values = Vec::new();
        }
    }

    fn any(&self, is_this: impl FnMut(&T) -> bool) -> bool {
        self.0.borrow().iter().any(is_this)
    }

    fn all(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.0.borrow().clone()
    }

    fn replace(&self, values: Vec<T>) -> Vec<T> {
        self.0.replace(values)
    }
}

thread_local! {
    /// Addresses of the dylibs for which this thread is generating symbols.
    static GENERATING: Running<usize> = const { Running::new() };
    /// What this thread is materializing.
    static MATERIALIZING: Running<Arc<Unit>> = const { Running::new() };
}

/// A unit that is being materialized.
struct Unit {
    /// The dylib's address.
    dylib: usize,
    names: Vec<String>,
}

impl Unit {
    fn defines(&self, dylib: usize, name: &str) -> bool {
        self.dylib == dylib && self.names.iter().any(|known| known == name)
    }
}

/// Checks a look-up of `name` in `dylib` by this thread.
///
/// # Errors
/// [`ErrorKind::Session`] if the look-up would wait for itself.
pub(crate) fn check_look_up(dylib: *mut LLVMOrcOpaqueJITDylib, name: &str) -> Result<(), Error> {
    let defines = |unit: &Arc<Unit>| unit.defines(dylib.addr(), name);
    let culprit = if MATERIALIZING.with(|materializing| materializing.any(defines)) {
        "its own materialization"
    } else if GENERATING.with(|generating| generating.any(|generating| *generating == dylib.addr())) {
        "a generator of its dylib"
    } else {
        return Ok(());
    };
    let text = format!("look-up of {name} by {culprit} would wait for itself");
    Err(Error::new(ErrorKind::Session, text))
}

/// Runs a generator or filter of a dylib, in which `run` cannot look up. `run` must not panic.
pub(crate) fn generating<T>(dylib: usize, run: impl FnOnce() -> T) -> T {
    GENERATING.with(|generating| generating.push(dylib));
    let result = run();
    GENERATING.with(Running::pop);
    result
}

/// Runs code outside of all generators: the look-up has left them. `run` must not panic.
pub(crate) fn outside_generators(run: impl FnOnce()) {
    let generating = GENERATING.with(|generating| generating.replace(Vec::new()));
    run();
    GENERATING.with(|running| running.replace(generating));
}

/// Runs the materialization of names, which `run` cannot look up. `run` must not panic.
pub(crate) fn materializing<T>(dylib: usize, names: Vec<String>, run: impl FnOnce() -> T) -> T {
    let unit = Arc::new(Unit { dylib, names });
    lock(&LOOKUPS).units.push(Arc::clone(&unit));
    MATERIALIZING.with(|materializing| materializing.push(Arc::clone(&unit)));
    let result = run();
    MATERIALIZING.with(Running::pop);
    lock(&LOOKUPS).units.retain(|known| !Arc::ptr_eq(known, &unit));
    result
}

/// A look-up that ends on any thread.
pub(crate) trait Answer: Send + Sync {
    /// Whether the look-up has its result.
    fn is_there(&self) -> bool;
}

/// A thread that waits for the answer of a look-up.
struct Waiter {
    answer: Arc<dyn Answer>,
    dylib: usize,
    name: String,
    /// What the thread holds up while it waits.
    materializing: Vec<Arc<Unit>>,
    generating: Vec<usize>,
}

/// The units and the waiters of all threads of the process.
struct Lookups {
    units: Vec<Arc<Unit>>,
    waiters: Vec<Waiter>,
}

static LOOKUPS: Mutex<Lookups> = Mutex::new(Lookups { units: Vec::new(), waiters: Vec::new() });

fn lock(lookups: &Mutex<Lookups>) -> MutexGuard<'_, Lookups> {
    lookups.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The registration of this thread as a waiter.
pub(crate) struct Waiting(Arc<dyn Answer>);

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&LOOKUPS).waiters.retain(|waiter| !Arc::ptr_eq(&waiter.answer, &self.0));
    }
}

/// Registers that this thread waits for the look-up of `name` in `dylib`.
///
/// # Errors
/// [`ErrorKind::Session`] if the look-up would wait for itself by way of other threads.
pub(crate) fn begin_wait(
    dylib: *mut LLVMOrcOpaqueJITDylib,
    name: &str,
    answer: Arc<dyn Answer>,
) -> Result<Waiting, Error> {
    let waiter = Waiter {
        answer: Arc::clone(&answer),
        dylib: dylib.addr(),
        name: name.to_owned(),
        materializing: MATERIALIZING.with(Running::all),
        generating: GENERATING.with(Running::all),
    };
    let mut lookups = lock(&LOOKUPS);
    if lookups.is_circle(&waiter) {
        let text = format!("look-up of {name} would wait for itself, by way of other threads");
        return Err(Error::new(ErrorKind::Session, text));
    }
    lookups.waiters.push(waiter);
    Ok(Waiting(answer))
}

impl Lookups {
    /// Whether what the new waiter waits for waits, directly or by way of others, for the new one.
    fn is_circle(&self, new: &Waiter) -> bool {
        let mut seen = HashSet::new();
        let mut to_follow = vec![new];
        while let Some(waiter) = to_follow.pop() {
            if self.holds_up(new, waiter) {
                return true;
            }
            for (idx, other) in self.waiters.iter().enumerate() {
                if self.holds_up(other, waiter) && !other.answer.is_there() && seen.insert(idx) {
                    to_follow.push(other);
                }
            }
        }
        false
    }

    /// Whether a waiter holds up what another one waits for.
    fn holds_up(&self, holder: &Waiter, waiter: &Waiter) -> bool {
        let defines = |unit: &Arc<Unit>| unit.defines(waiter.dylib, &waiter.name);
        // The generators of a dylib are asked only for names that no definition has.
        holder.materializing.iter().any(defines)
            || (holder.generating.contains(&waiter.dylib) && !self.units.iter().any(defines))
    }
}
