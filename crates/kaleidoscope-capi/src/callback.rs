//! Host functions: C functions that programs call.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;

use crate::engine::kls_engine;
use crate::entry::{borrowed, entry, text};
use crate::error::kls_error;
use crate::host_data::{HostData, kls_destroy};
use crate::host_failure::{self, HostFailure};
use crate::status::kls_status;

/// A running call of a host function.
#[derive(Debug)]
pub struct kls_call {
    failure: RefCell<Option<HostFailure>>,
}

/// A host function: returns a value for `n_args` values.
///
/// It runs on the thread that evaluates, and several threads may run it at once. It may use the
/// engine. Interrupts and time limits wait until it returns. It fails by kls_call_fail. It must not
/// leave by a C++ exception, longjmp or pthread_exit, which ends the process.
pub type kls_callback = Option<
    unsafe extern "C" fn(data: *mut c_void, args: *const f64, n_args: usize, call: *mut kls_call) -> f64,
>;

/// Registers a host function under a name, as a definition by the host: programs can call it.
///
/// It replaces a function of this name in every call that begins afterwards. A `def` of a program
/// replaces it in the same way. The engine calls it with `arity` values and with `data`.
///
/// The engine owns `data` from here on, also if this function fails. It calls `destroy`, if not
/// `NULL`, with `data` once: when the function was replaced or the engine freed, and no call is
/// inside.
///
/// KLS_INVALID_NAME if the name is not an identifier of the language, KLS_INVALID_ARGUMENT for more
/// than 10,000 parameters.
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
            // SAFETY: the host's function with the host's data; the values and the call live until
            // it returns.
            let value = unsafe { callback(data.pointer(), args.as_ptr(), args.len(), &raw mut call) };
            let result = call.failure.into_inner().map_or(Ok(value), Err);
            host_failure::note(&result);
            result
        })?;
        Ok(())
    };
    // SAFETY: the host's promise.
    unsafe { entry(error, body) }
}

/// Fails the running call of a host function: the evaluation ends with this message when the host
/// function returns. The text is copied, and invalid UTF-8 in it is replaced. The last message
/// counts.
///
/// Call it on the thread that runs the host function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_call_fail(call: *mut kls_call, message: *const c_char) {
    // SAFETY: the host's promise.
    unsafe { fail(call, message, None) };
}

/// As kls_call_fail, with data of the host, for example an exception. The host gets it by
/// kls_error_data from the error of the call, batch or program that called the host function.
///
/// The library owns `data` from here on. It calls `destroy`, if not `NULL`, with `data` once, on
/// any thread: when the error is freed, or earlier if no error has the data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kls_call_fail_with(
    call: *mut kls_call,
    message: *const c_char,
    data: *mut c_void,
    destroy: kls_destroy,
) {
    let data = Arc::new(HostData::new(data, destroy));
    // SAFETY: the host's promise.
    unsafe { fail(call, message, Some(data)) };
}

/// # Safety
/// As for [`borrowed`] and [`CStr::from_ptr`], except that `message` may be null.
unsafe fn fail(call: *mut kls_call, message: *const c_char, data: Option<Arc<HostData>>) {
    // SAFETY: the caller's promise.
    let Ok(call) = (unsafe { borrowed(call, "call") }) else { return };
    let message = match message.is_null() {
        true => "no reason given".into(),
        // SAFETY: not null, so the caller's promise.
        false => unsafe { CStr::from_ptr(message) }.to_string_lossy().into(),
    };
    drop(call.failure.replace(Some(HostFailure { message, data })));
}
