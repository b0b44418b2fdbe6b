//! Functions of the host that programs call, and the data that goes with functions of the host.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};

use crate::engine::kls_engine;
use crate::entry::{borrowed, entry, text};
use crate::error::{kls_error, kls_status};

/// A call of a function of the host, while it runs.
#[derive(Debug)]
pub struct kls_call {
    failure: RefCell<Option<String>>,
}

/// A function of the host: gives a value for `n_args` values.
///
/// It runs on the thread that evaluates, and several threads may be in it at once. It may use the engine; it is not
/// stopped by requests and time limits, which wait for its return. It fails by kls_call_fail. It must not leave by a C++
/// exception or longjmp.
pub type kls_callback = Option<
    unsafe extern "C" fn(data: *mut c_void, args: *const f64, n_args: usize, call: *mut kls_call) -> f64,
>;

/// Gives the data of a function of the host back to the host, when nobody needs it any more. It is called once, by any thread.
pub type kls_destroy = Option<unsafe extern "C" fn(data: *mut c_void)>;

/// Data that the host has given over, with what gives it back.
#[derive(Debug)]
pub(crate) struct HostData {
    data: *mut c_void,
    destroy: kls_destroy,
}

// SAFETY: this crate does nothing with the data but hand it to functions of the host, which has promised that they may be
// called by any thread.
unsafe impl Send for HostData {}
// SAFETY: as above; and by several at once.
unsafe impl Sync for HostData {}

impl HostData {
    pub(crate) fn new(data: *mut c_void, destroy: kls_destroy) -> Self {
        Self { data, destroy }
    }

    pub(crate) fn pointer(&self) -> *mut c_void {
        self.data
    }
}

impl Drop for HostData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the host's function with the host's data, once.
            unsafe { destroy(self.data) };
        }
    }
}

/// Lets programs call a function of the host by this name, as if the host had a `def` of its own.
///
/// A function that had the name is replaced for every call that begins after this; so is this one by a `def` of the program. It is called
/// with `arity` values, and with `data`, which is the engine's from here on, also when this fails: `destroy`, if not
/// `NULL`, is called with it when the function is replaced or the engine gone, and no call is inside.
///
/// KLS_INVALID_NAME when the language has no such name, KLS_INVALID_ARGUMENT for more than 10,000 parameters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_engine_register(
    engine: *const kls_engine,
    name: *const c_char,
    arity: u32,
    callback: kls_callback,
    data: *mut c_void,
    destroy: kls_destroy,
    error: *mut *mut kls_error,
) -> kls_status {
    let data = HostData::new(data, destroy);
    let body = || {
        // SAFETY: the host's promise.
        let engine = unsafe { borrowed(engine, "engine") }?;
        // SAFETY: the host's promise.
        let name = unsafe { text(name, "name") }?;
        let callback =
            callback.ok_or_else(|| kls_error::new(kls_status::KLS_INVALID_ARGUMENT, "`callback` is NULL"))?;
        engine.engine.register_slice(name, arity, move |args: &[f64]| {
            let mut call = kls_call { failure: RefCell::new(None) };
            // SAFETY: the host's function with the host's data, values that are there, and a call that lives until it returns.
            let value = unsafe { callback(data.pointer(), args.as_ptr(), args.len(), &raw mut call) };
            call.failure.into_inner().map_or(Ok(value), Err)
        })?;
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Says, from inside of a function of the host, that the call has failed, and why: the evaluation ends with this text when the
/// function returns. The text is copied; what is not UTF-8 in it is replaced. The last one counts.
///
/// To be called by the thread that the function was called by.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_call_fail(call: *mut kls_call, message: *const c_char) {
    // SAFETY: the host's promise.
    let Ok(call) = (unsafe { borrowed(call, "call") }) else { return };
    let message = match message.is_null() {
        true => "no reason given".to_owned(),
        // SAFETY: not null, so the host's promise.
        false => unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned(),
    };
    call.failure.replace(Some(message));
}
