//! Re-entrant look-ups: refuses look-ups that would wait for themselves.
//!
//! LLVM calls materialization units and generators on the thread of the look-up that needs them.
//! This module records, per thread, which ones are running. A look-up that would wait for one of
//! them returns an error instead of blocking the thread forever. So does a look-up in a circle: of
//! threads, each of which waits for a unit or generator of the next, and of links, which wait for
//! the external symbols of their objects.
//!
//! Whoever waits registers with what it holds up. Whenever a thread begins to wait, and whenever an
//! emission returns, whose links may wait now, this module looks for circles under one lock. A unit
//! may pass its responsibility to another thread and then look up something else; a circle is found
//! all the same, because nothing tells where the responsibility is.

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
    /// Those that have not been emitted.
    names: Mutex<Vec<String>>,
}

impl Unit {
    fn defines(&self, dylib: usize, name: &str) -> bool {
        self.dylib == dylib && self.lock_names().iter().any(|known| known == name)
    }

    fn lock_names(&self) -> MutexGuard<'_, Vec<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
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
    let unit = Arc::new(Unit { dylib, names: Mutex::new(names) });
    lock(&LOOKUPS).units.push(Arc::clone(&unit));
    MATERIALIZING.with(|materializing| materializing.push(Arc::clone(&unit)));
    let result = run();
    MATERIALIZING.with(Running::pop);
    lock(&LOOKUPS).units.retain(|known| !Arc::ptr_eq(known, &unit));
    result
}

/// Notes that the emission of these symbols has returned: the unit holds them up no longer, but the
/// links that it began may wait.
pub(crate) fn emission_ended(dylib: *mut LLVMOrcOpaqueJITDylib, names: &[String]) {
    let lookups = lock(&LOOKUPS);
    for unit in lookups.units.iter().filter(|unit| unit.dylib == dylib.addr()) {
        unit.lock_names().retain(|name| !names.contains(name));
    }
    lookups.fail_circles();
}

/// A look-up that ends on any thread.
pub(crate) trait Answer: Send + Sync {
    /// Whether the look-up has its result.
    fn is_there(&self) -> bool;

    /// Ends the look-up with this error.
    fn fail(&self, error: Error);
}

/// A symbol that a look-up or a link waits for.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Awaited {
    /// The dylib's address.
    dylib: usize,
    name: String,
}

/// A thread that waits for the answer of a look-up.
struct Waiter {
    answer: Arc<dyn Answer>,
    awaited: Awaited,
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

/// Registers that this thread waits for the look-up of `name` in `dylib`. If look-ups wait for
/// themselves now, fails them.
pub(crate) fn begin_wait(dylib: *mut LLVMOrcOpaqueJITDylib, name: &str, answer: Arc<dyn Answer>) -> Waiting {
    let waiter = Waiter {
        answer: Arc::clone(&answer),
        awaited: Awaited { dylib: dylib.expose_provenance(), name: name.to_owned() },
        materializing: MATERIALIZING.with(Running::all),
        generating: GENERATING.with(Running::all),
    };
    let mut lookups = lock(&LOOKUPS);
    // The youngest look-up of a circle is the first to fail.
    lookups.waiters.insert(0, waiter);
    lookups.fail_circles();
    Waiting(answer)
}

impl Lookups {
    fn fail_circles(&self) {
        for waiter in &self.waiters {
            if !waiter.answer.is_there() && self.is_circle(waiter) {
                let name = &waiter.awaited.name;
                let text = format!("look-up of {name} would wait for itself, by way of others");
                waiter.answer.fail(Error::new(ErrorKind::Session, text));
            }
        }
    }

    /// Whether what the waiter waits for waits, directly or by way of others, for the waiter.
    fn is_circle(&self, waiter: &Waiter) -> bool {
        if waiter.materializing.is_empty() && waiter.generating.is_empty() {
            return false;
        }
        let mut seen = HashSet::new();
        let mut to_follow = vec![waiter.awaited.clone()];
        while let Some(awaited) = to_follow.pop() {
            if !seen.insert(awaited.clone()) {
                continue;
            }
            if self.holds_up(waiter, &awaited) {
                return true;
            }
            for other in self.waiters.iter().filter(|other| !other.answer.is_there()) {
                if self.holds_up(other, &awaited) {
                    to_follow.push(other.awaited.clone());
                }
            }
            add_awaited_by_links(&awaited, &mut to_follow);
        }
        false
    }

    /// Whether a waiter holds up what another one, or a link, waits for.
    fn holds_up(&self, holder: &Waiter, awaited: &Awaited) -> bool {
        let defines = |unit: &Arc<Unit>| unit.defines(awaited.dylib, &awaited.name);
        // The generators of a dylib are asked only for names that no definition has.
        holder.materializing.iter().any(defines)
            || (holder.generating.contains(&awaited.dylib) && !self.units.iter().any(defines))
    }
}

/// Adds what the running links that define this symbol wait for.
#[cfg(feature = "shim")]
fn add_awaited_by_links(awaited: &Awaited, list: &mut Vec<Awaited>) {
    use std::ffi::{c_char, c_void};

    // SAFETY: the signature is that of `shim/running_links.cpp`.
    unsafe extern "C" {
        fn llvm_orc_links_wait_for(
            dylib: *mut LLVMOrcOpaqueJITDylib,
            name: *const c_char,
            length: usize,
            receive: extern "C" fn(*mut c_void, *mut LLVMOrcOpaqueJITDylib, *const c_char, usize),
            context: *mut c_void,
        );
    }

    extern "C" fn receive(
        list: *mut c_void,
        dylib: *mut LLVMOrcOpaqueJITDylib,
        name: *const c_char,
        length: usize,
    ) {
        // SAFETY: the list that `add_awaited_by_links` passes, which nothing else uses meanwhile.
        let list = unsafe { &mut *list.cast::<Vec<Awaited>>() };
        // SAFETY: the shim passes the length of the name.
        let name = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) };
        list.push(Awaited {
            dylib: dylib.expose_provenance(),
            name: String::from_utf8_lossy(name).into_owned(),
        });
    }

    let dylib = std::ptr::with_exposed_provenance_mut(awaited.dylib);
    // SAFETY: somebody waits for a symbol of the dylib, so its session is alive. The name has this
    // length, and `receive` gets the list.
    unsafe {
        llvm_orc_links_wait_for(
            dylib,
            awaited.name.as_ptr().cast(),
            awaited.name.len(),
            receive,
            std::ptr::from_mut(list).cast(),
        );
    }
}

/// LLVM's C API does not tell what links wait for.
#[cfg(not(feature = "shim"))]
fn add_awaited_by_links(_: &Awaited, _: &mut Vec<Awaited>) {}
