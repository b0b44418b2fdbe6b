//! Re-entrant look-ups: refuses look-ups that would wait for themselves.
//!
//! LLVM calls materialization units and generators on the thread of the look-up that needs them.
//! This module records, per thread, which ones are running. A look-up that would wait for one of
//! them returns an error instead of blocking the thread forever.

use std::cell::RefCell;
use std::mem::ManuallyDrop;

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

    fn replace(&self, values: Vec<T>) -> Vec<T> {
        self.0.replace(values)
    }
}

thread_local! {
    /// Addresses of the dylibs for which this thread is generating symbols.
    static GENERATING: Running<usize> = const { Running::new() };
    /// Addresses of dylibs, and names that this thread is materializing in them.
    static MATERIALIZING: Running<(usize, Vec<String>)> = const { Running::new() };
}

/// Checks a look-up of `name` in `dylib` by this thread.
///
/// # Errors
/// [`ErrorKind::Session`] if the look-up would wait for itself.
pub(crate) fn check_look_up(dylib: *mut LLVMOrcOpaqueJITDylib, name: &str) -> Result<(), Error> {
    let is_this = |(known, names): &(usize, Vec<String>)| {
        *known == dylib.addr() && names.iter().any(|known| known == name)
    };
    let culprit = if MATERIALIZING.with(|materializing| materializing.any(is_this)) {
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
    MATERIALIZING.with(|materializing| materializing.push((dylib, names)));
    let result = run();
    MATERIALIZING.with(Running::pop);
    result
}
