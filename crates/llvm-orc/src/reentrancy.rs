//! Re-entrant look-ups: refuses look-ups that would wait for themselves.
//!
//! LLVM calls materialization units and generators on the thread of the look-up that needs them.
//! This module records, per thread, which ones are running. A look-up that would wait for one of
//! them returns an error instead of blocking the thread forever.

use std::cell::RefCell;

use llvm_sys::orc2::LLVMOrcOpaqueJITDylib;

use crate::error::{Error, ErrorKind};

thread_local! {
    /// Addresses of the dylibs for which this thread is generating symbols, innermost last.
    static GENERATING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    /// Addresses of dylibs, and names that this thread is materializing in them, innermost last.
    static MATERIALIZING: RefCell<Vec<(usize, Vec<String>)>> = const { RefCell::new(Vec::new()) };
}

/// Checks a look-up of `name` in `dylib` by this thread.
///
/// # Errors
/// [`ErrorKind::Session`] if the look-up would wait for itself.
pub(crate) fn check_look_up(dylib: *mut LLVMOrcOpaqueJITDylib, name: &str) -> Result<(), Error> {
    let is_this = |(known, names): &(usize, Vec<String>)| {
        *known == dylib.addr() && names.iter().any(|known| known == name)
    };
    let culprit = if MATERIALIZING.with_borrow(|materializing| materializing.iter().any(is_this)) {
        "its own materialization"
    } else if GENERATING.with_borrow(|generating| generating.contains(&dylib.addr())) {
        "a generator of its dylib"
    } else {
        return Ok(());
    };
    let text = format!("look-up of {name} by {culprit} would wait for itself");
    Err(Error::new(ErrorKind::Session, text))
}

/// Runs a generator or filter of a dylib, in which `run` cannot look up. `run` must not panic.
pub(crate) fn generating<T>(dylib: usize, run: impl FnOnce() -> T) -> T {
    GENERATING.with_borrow_mut(|generating| generating.push(dylib));
    let result = run();
    GENERATING.with_borrow_mut(Vec::pop);
    result
}

/// Runs code outside of all generators: the look-up has left them. `run` must not panic.
pub(crate) fn outside_generators(run: impl FnOnce()) {
    let generating = GENERATING.take();
    run();
    GENERATING.set(generating);
}

/// Runs the materialization of names, which `run` cannot look up. `run` must not panic.
pub(crate) fn materializing<T>(dylib: usize, names: Vec<String>, run: impl FnOnce() -> T) -> T {
    MATERIALIZING.with_borrow_mut(|materializing| materializing.push((dylib, names)));
    let result = run();
    MATERIALIZING.with_borrow_mut(Vec::pop);
    result
}
