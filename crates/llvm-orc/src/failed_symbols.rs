//! Names of the symbols that failed, which LLVM's C API tells only as text.

use std::ffi::{c_char, c_void};

use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::LLVMOrcJITDylibRef;

type Receive = unsafe extern "C" fn(*mut c_void, LLVMOrcJITDylibRef, *const c_char, usize);

// SAFETY: the signatures are those of `shim/failed_symbols.cpp`.
unsafe extern "C" {
    fn llvm_orc_failed_symbols(error: LLVMErrorRef, receive: Receive, context: *mut c_void);
    fn llvm_orc_take_failed_link(receive: Receive, context: *mut c_void);
}

/// A symbol: its dylib's address, and its name.
pub(crate) type FailedSymbol = (usize, String);

/// The symbols of an error that says that symbols could not be materialized. None for other errors.
///
/// # Safety
/// `error` is null or alive.
pub(crate) unsafe fn of_error(error: LLVMErrorRef) -> Vec<FailedSymbol> {
    let mut symbols = Vec::new();
    if !error.is_null() {
        // SAFETY: guaranteed by the caller. `receive` gets the list.
        unsafe { llvm_orc_failed_symbols(error, receive, (&raw mut symbols).cast()) };
    }
    symbols
}

/// The symbols of the link that has just failed on this thread, by dylib. LLVM reports the error of
/// a link right after it.
pub(crate) fn of_failed_link() -> Option<(usize, Vec<String>)> {
    let mut symbols: Vec<FailedSymbol> = Vec::new();
    // SAFETY: `receive` gets the list.
    unsafe { llvm_orc_take_failed_link(receive, (&raw mut symbols).cast()) };
    let (dylib, _) = *symbols.first().as_ref()?;
    Some((*dylib, symbols.iter().map(|(_, name)| name.clone()).collect()))
}

unsafe extern "C" fn receive(
    context: *mut c_void,
    dylib: LLVMOrcJITDylibRef,
    name: *const c_char,
    length: usize,
) {
    // SAFETY: both functions above pass their list, which only this thread uses.
    let symbols = unsafe { &mut *context.cast::<Vec<FailedSymbol>>() };
    // SAFETY: the shim passes a name of this length.
    let name = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) };
    symbols.push((dylib.addr(), String::from_utf8_lossy(name).into_owned()));
}
